import type { StrategyDescriptor } from './strategy.js';

/** What a mixture offers instead of strategies: the router it was trained with, asked for more or fewer experts. No pool has it. */
export const nativeRouter = {
  name: 'native',
  title: 'Native router',
  hint: 'Each token goes to the experts with the highest router logits: as many as the model was trained with, or another number.',
  takes: 'k',
} as const satisfies Pick<StrategyDescriptor, 'name' | 'title' | 'hint' | 'takes'>;
