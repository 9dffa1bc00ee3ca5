import type { StrategyDescriptor } from './strategy.js';

export const retrieval: StrategyDescriptor = {
  name: 'retrieval',
  title: 'Retrieval',
  hint: 'One expert for the whole text: the one with the most similar training example.',
  finds: 'expert',
  needs: ['retriever'],
  weights: { by: 'strategy', weight: (e, chosen) => (e === chosen ? 1 : 0) },
};
