import type { StrategyDescriptor } from './strategy.js';

export const mergedFactors: StrategyDescriptor = {
  name: 'merged-factors',
  title: 'Merged factors',
  hint: 'The mean of all A times the mean of all B, as the authors’ code merges; “Merged” is the mean of all products B A.',
  needs: [],
  weights: { by: 'strategy', weight: () => 0, adapter: 'merged-factors' },
};
