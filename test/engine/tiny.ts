/** The goldens of the tiny pool. */
import type { Trace } from '../../src/trace/model/trace.js';
import { type Tolerance, goldens, pooled } from './support.js';

/** For an fp32 base: only rounding differs. */
export const exact: Tolerance = { score: 1e-4, logProb: 1e-4, weight: 1e-4, contribution: 1e-4 };

export const tiny = goldens('tiny');
/** The goldens of the tiny pool that a request can ask for. */
export const asked = tiny.filter(
  ({ name, trace, extra }) => pooled(trace).text !== '' && !extra('bias') && !extra('fixed') && !name.endsWith('-half'),
);

/** A request for retrieval names no expert, so the engine must find the same one. */
export function requestOf(golden: Trace) {
  const { text = '', strategy, interventions } = pooled(golden);
  return { text, strategy: strategy.name === 'retrieval' ? { name: 'retrieval' } : strategy, interventions };
}
