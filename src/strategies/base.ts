import type { StrategyDescriptor } from './strategy.js';

export const base: StrategyDescriptor = {
  name: 'base',
  title: 'Base model alone',
  hint: 'The frozen model with no expert.',
  needs: [],
  weights: { by: 'strategy', weight: () => 0 },
};
