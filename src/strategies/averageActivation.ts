import type { StrategyDescriptor } from './strategy.js';

export const averageActivation: StrategyDescriptor = {
  name: 'average-activation',
  title: 'Average activation',
  hint: 'Like PHATGOOSE, with each expert’s mean activation as its gate.',
  takes: 'k',
  measured: [2],
  needs: ['activations'],
  weights: { by: 'score', vectors: 'average-activation' },
};
