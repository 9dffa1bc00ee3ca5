import type { StrategyDescriptor } from './strategy.js';

export const arrow: StrategyDescriptor = {
  name: 'arrow',
  title: 'Arrow',
  hint: 'Like PHATGOOSE, with each adapter’s top singular vector as its gate.',
  takes: 'k',
  // PEFT's default.
  usualK: 3,
  measured: [3],
  needs: [],
  weights: { by: 'score', vectors: 'arrow' },
};
