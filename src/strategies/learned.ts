import type { StrategyDescriptor } from './strategy.js';

export const learned: StrategyDescriptor = {
  name: 'learned',
  title: 'Learned router',
  hint: 'Routers that were trained for all of these experts together, as a mixture of experts has them.',
  takes: 'k',
  measured: [2],
  needs: ['router'],
  weights: { by: 'score', vectors: 'learned' },
};
