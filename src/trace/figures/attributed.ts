/** Which experts an attribution knocks out, one run each, and what the runs show. */
import { chosenAt, rowsAt, modulesOf, textTokens } from '../model/access.js';
import type { Expert, Trace } from '../model/trace.js';

/** Which experts to knock out if each layer has its own: these are too many for a run each. */
export interface AttributedExperts {
  /** Only those of this layer; absent: of all layers. */
  readonly layer?: number;
  /** At most this many, the most often chosen first. */
  readonly most?: number;
}

const usual = 16;

/** All experts of a pool; of a mixture, those that the text's tokens chose most often. */
export function attributedExperts(trace: Trace, { layer, most = usual }: AttributedExperts): readonly Expert[] {
  const shared = trace.expertSets.flatMap(({ scope, experts }) => (scope === 'pool' ? experts : []));
  if (shared.length > 0) return shared;
  const counted = [...modulesOf(trace, { layer })].flatMap((s) => {
    const rows = rowsAt(trace, s);
    const counts = new Int32Array(rows.experts);
    for (const t of textTokens(trace.sequences[rows.module.sequence]!))
      for (const e of chosenAt(rows, t)) if (e >= 0) counts[e]!++;
    return rows.set.experts.map((expert, e) => ({ expert, count: counts[e]! }));
  });
  return counted
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count)
    .slice(0, most)
    .map(({ expert }) => expert);
}

/** A text's attribution to each expert, from the [T, N] changes of log-probability when the expert is knocked out. */
export interface TokenAttributions {
  /** [T] the expert whose knock-out makes the token least likely; −1: none lowers its log-probability by more than `least`. */
  readonly expert: Int16Array;
  /** [T] by how much, in nats; 0 if `expert` is −1. */
  readonly nats: Float32Array;
  /** [N] change of the whole text's log-probability, in nats. */
  readonly totals: Float64Array;
}

/** In nats; a smaller effect is not attributed to any expert. */
const least = 0.01;

export function attributionOf({
  experts,
  change,
}: {
  readonly experts: readonly Expert[];
  readonly change: Float32Array;
}): TokenAttributions {
  const n = experts.length;
  const count = n > 0 ? change.length / n : 0;
  const expert = new Int16Array(count).fill(-1);
  const nats = new Float32Array(count);
  const totals = new Float64Array(n);
  change.forEach((x, i) => {
    if (Number.isNaN(x)) return;
    const [t, e] = [Math.floor(i / n), i % n];
    totals[e]! += x;
    if (-x > Math.max(least, nats[t]!)) [expert[t], nats[t]] = [e, -x];
  });
  return { expert, nats, totals };
}
