/** Runs whose experts no score chose. Strategies have the names of docs/strategies.md. */
import type { Router } from './trace.js';

/** The expert that the run was asked to use everywhere; undefined: none was named. */
export function askedExpert({ name, params }: Router): string | undefined {
  const expert = params?.['expert'];
  return name === 'single' && typeof expert === 'string' ? expert : undefined;
}

/** Whether the whole text makes one choice, however many tokens it has. */
export const isChosenOnce = ({ name }: Router): boolean => name === 'retrieval';

/** Whether scores say only what a router would have preferred. X-LoRA chooses no k either, but its weights follow from its scores. */
export const hasFixedWeights = ({ k, params }: Router): boolean =>
  k === undefined && params?.['affinities'] !== 'x-lora';
