import type { StrategyDescriptor } from './strategy.js';

export const jointlyTrained: StrategyDescriptor = {
  name: 'jointly-trained',
  title: 'Jointly trained router',
  hint: 'Routers that were trained for all of these experts together, as a mixture of experts has them.',
  takes: 'k',
  measured: [2],
  needs: ['router'],
  weights: { by: 'score', vectors: 'jointly-trained' },
};
