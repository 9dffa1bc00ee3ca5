/** What a run's router makes of its scores. */
import type { Trace } from './trace.js';

/**
 * `chosen`: the best scores are chosen, and weighted. `scaled`: every expert is weighted by its score, as by X-LoRA's classifier. `fixed`: the
 * strategy gives the weights, whatever the scores.
 */
export function weighing({
  router: { k, params },
  expertSets,
}: Pick<Trace, 'router' | 'expertSets'>): 'chosen' | 'scaled' | 'fixed' {
  // A mixture always chooses, though not every source says how many.
  if (k !== undefined || expertSets.some(({ scope }) => scope === 'layer')) return 'chosen';
  return params?.['affinities'] === 'x-lora' ? 'scaled' : 'fixed';
}
