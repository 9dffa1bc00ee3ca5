/** What a run's router makes of its scores. */
import type { Trace } from './trace.js';

/** Whether each layer has experts of its own, trained together with the model. */
export function isMixture({ expertSets }: Pick<Trace, 'expertSets'>): boolean {
  return expertSets.some(({ scope }) => scope === 'layer');
}

/**
 * `chosen`: the best scores are chosen, and weighted. `scaled`: every expert is weighted by its score, as by X-LoRA's classifier. `fixed`: the
 * strategy gives the weights, whatever the scores.
 */
export function weighing(trace: Pick<Trace, 'router' | 'expertSets'>): 'chosen' | 'scaled' | 'fixed' {
  const { k, params } = trace.router;
  // A mixture always chooses, though not every source says how many.
  if (k !== undefined || isMixture(trace)) return 'chosen';
  return params?.['affinities'] === 'x-lora' ? 'scaled' : 'fixed';
}
