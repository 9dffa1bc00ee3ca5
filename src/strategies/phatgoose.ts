import type { StrategyDescriptor } from './strategy.js';

export const phatgoose: StrategyDescriptor = {
  name: 'phatgoose',
  title: 'PHATGOOSE',
  hint: 'Each token, at each module, goes to the few experts whose gates fit it best.',
  takes: 'k',
  measured: [2, 1, 3],
  needs: ['gates'],
  weights: { by: 'score', vectors: 'phatgoose' },
};
