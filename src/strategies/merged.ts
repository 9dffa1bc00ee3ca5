import type { StrategyDescriptor } from './strategy.js';

export const merged: StrategyDescriptor = {
  name: 'merged',
  title: 'Merged',
  hint: 'The mean of all experts.',
  needs: [],
  // An expert without a matrix at a module still counts: it changes nothing there.
  weights: { by: 'strategy', weight: (_e, _chosen, members) => 1 / members },
};
