import type { StrategyDescriptor } from './strategy.js';

/** What a mixture offers instead of strategies: the router it was trained with, asked for more or fewer experts. No pool has it. */
export const nativeRouter = {
  name: 'native',
  title: 'The model’s router',
  hint: 'The router that the model was trained with (native router): each token goes to the experts with the highest router logits.',
  takes: 'k',
} as const satisfies Pick<StrategyDescriptor, 'name' | 'title' | 'hint' | 'takes'>;
