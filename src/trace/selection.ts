/** What the router chose by: the raw affinities under the run's interventions. */
import { affinitiesAt, holdsAt } from './access.js';
import type { Intervention, Module, Trace } from './trace.js';

/** What the interventions do at one cell. */
export interface CellBias {
  /** [N] added to the affinities before the choice; −∞ for an expert knocked out. */
  readonly bias: Float32Array;
  /** The expert that is applied with weight 1 whatever the scores; −1: none. */
  readonly forced: number;
}

/** Later interventions on an expert win over earlier ones; a later knock-out or tilt of a forced expert lifts the force. */
export function biasAt(
  interventions: readonly Intervention[],
  experts: readonly { readonly id: string }[],
  module: Module,
  t: number,
): CellBias {
  const bias = new Float32Array(experts.length);
  let forced = -1;
  for (const intervention of interventions) {
    const e = experts.findIndex((expert) => expert.id === intervention.expert);
    if (e < 0 || !holdsAt(intervention.scope, module, t)) continue;
    if (intervention.action === 'force') {
      forced = e;
      bias[e] = 0;
    } else {
      if (forced === e) forced = -1;
      bias[e] = intervention.action === 'knock-out' ? -Infinity : intervention.amount;
    }
  }
  return { bias, forced };
}

/**
 * [N] the scores that the router chose by at a cell, biased by the interventions; NaN where an expert has no gate.
 * Over the trace's own memory when nothing intervenes. Undefined where the source gave no affinities.
 */
export function selectionScores(trace: Trace, m: number, t: number): Float32Array | undefined {
  const raw = affinitiesAt(trace, m, t);
  const module = trace.modules[m]!;
  if (raw === undefined || !trace.interventions.some((i) => i.action !== 'force' && holdsAt(i.scope, module, t)))
    return raw;
  const { bias } = biasAt(trace.interventions, trace.experts, module, t);
  return raw.map((a, e) => a + bias[e]!);
}

/** The expert forced at a cell, −1 for none. */
export function forcedAt(trace: Trace, m: number, t: number): number {
  if (!trace.interventions.some((i) => i.action === 'force')) return -1;
  return biasAt(trace.interventions, trace.experts, trace.modules[m]!, t).forced;
}
