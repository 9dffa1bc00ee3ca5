/** The goldens of the tiny pool. */
import type { Trace } from '../../src/trace/model/trace.js';
import { type Tolerance, goldens, pooled } from './support.js';

/** An fp32 base: nothing but rounding apart. */
export const exact: Tolerance = { score: 1e-4, logProb: 1e-4, weight: 1e-4, contribution: 1e-4 };

export const tiny = goldens('tiny');
/** Those of the tiny pool that a request can ask for. */
export const asked = tiny.filter(
  ({ name, trace, extra }) => pooled(trace).text !== '' && !extra('bias') && !extra('fixed') && !name.endsWith('-half'),
);

/** A request names no expert for retrieval: the engine has to find the same. */
export function requestOf(golden: Trace) {
  const { text = '', strategy, interventions } = pooled(golden);
  return { text, strategy: strategy.name === 'retrieval' ? { name: 'retrieval' } : strategy, interventions };
}
