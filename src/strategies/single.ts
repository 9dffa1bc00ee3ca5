import type { StrategyDescriptor } from './strategy.js';

export const single: StrategyDescriptor = {
  name: 'single',
  title: 'One expert',
  hint: 'One expert everywhere, with weight 1.',
  takes: 'expert',
  needs: [],
  weights: { by: 'strategy', weight: (e, chosen) => (e === chosen ? 1 : 0) },
};
