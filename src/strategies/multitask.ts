import type { StrategyDescriptor } from './strategy.js';

export const multitask: StrategyDescriptor = {
  name: 'multitask',
  title: 'Multitask',
  hint: 'One adapter trained on everything.',
  needs: ['multitask'],
  weights: { by: 'strategy', weight: () => 0, adapter: 'multitask' },
};
