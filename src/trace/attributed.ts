/** Whose absence is worth a run. */
import { chosenAt, rowsAt, sitesOf, textTokens } from './access.js';
import type { Expert, Trace } from './trace.js';

/** What is asked of experts that are each layer's own, of which there are too many for a run each. */
export interface AttributedExperts {
  /** Those of one layer; absent: of all. */
  readonly layer?: number;
  /** So many, the most chosen first. */
  readonly most?: number;
}

const usual = 16;

/** All that mean the same everywhere; of those that are each layer's own the most chosen of the text's tokens. */
export function attributedExperts(trace: Trace, { layer, most = usual }: AttributedExperts): readonly Expert[] {
  const shared = trace.expertSets.flatMap(({ scope, experts }) => (scope === 'pool' ? experts : []));
  if (shared.length > 0) return shared;
  const counted = [...sitesOf(trace, { layer })].flatMap((s) => {
    const rows = rowsAt(trace, s);
    const counts = new Int32Array(rows.experts);
    for (const t of textTokens(trace.sequences[rows.site.sequence]!))
      for (const e of chosenAt(rows, t)) if (e >= 0) counts[e]!++;
    return rows.set.experts.map((expert, e) => ({ expert, count: counts[e]! }));
  });
  return counted
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count)
    .slice(0, most)
    .map(({ expert }) => expert);
}
