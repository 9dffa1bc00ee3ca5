/** Runs whose experts no score chose. Strategies have the names of docs/strategies.md. */
import type { Router, Trace } from './trace.js';

/** The expert that the run was asked to use everywhere; undefined: none was named. */
export function askedExpert({ name, params }: Router): string | undefined {
  const expert = params?.['expert'];
  return name === 'single' && typeof expert === 'string' ? expert : undefined;
}

/** Whether the whole text makes one choice, however many tokens it has. */
export const isChosenOnce = ({ name }: Router): boolean => name === 'retrieval';

/** Whether no expert takes part: the base model alone, unless a what-if forces one. */
export const isBaseAlone = ({ router, interventions }: Pick<Trace, 'router' | 'interventions'>): boolean =>
  router.name === 'base' && !interventions.some(({ action }) => action === 'force');

/** Whether all experts have the same weight, so that none leads: they are merged, and no what-if changes that. */
export const isEven = ({ router, interventions }: Pick<Trace, 'router' | 'interventions'>): boolean =>
  router.name === 'merged' && interventions.length === 0;
