/** The scores that the router compared, and the experts that it could choose. */
import { isKnown, type Rows } from './access.js';

/**
 * [N] the scores that were compared at a cell: the source's own selection scores, or else the raw scores under the run's
 * interventions. NaN for an expert without a gate, −∞ for one that was excluded. Without interventions it is a view of the
 * trace's array. Undefined if the source gave neither.
 */
export function selectionScores(rows: Rows, t: number): Float32Array | undefined {
  const { experts, selection } = rows;
  return selection ? selection.subarray(t * experts, (t + 1) * experts) : biasedScores(rows, t);
}

/** [N] the raw scores under the run's interventions, as in `selectionScores`; undefined if the source gave none. */
export function biasedScores({ score, experts, whatIf }: Rows, t: number): Float32Array | undefined {
  const raw = score?.subarray(t * experts, (t + 1) * experts);
  if (!raw || !whatIf) return raw;
  const { bias } = whatIf.at(t);
  return raw.map((a, e) => a + bias[e]!);
}

/** The expert forced at a cell, −1 for none. */
export function forcedAt({ whatIf }: Rows, t: number): number {
  return whatIf ? whatIf.at(t).forced : -1;
}

/**
 * [N] 1 for each expert that has a gate at a module, which is one whose score is a number there. All 1 if the source gave no
 * scores, or none for this module yet.
 */
export function takingPart(rows: Rows): Uint8Array {
  const { score, experts, done } = rows;
  const all = new Uint8Array(experts).fill(1);
  if (!score) return all;
  for (let t = 0; t < done; t++) {
    if (!isKnown(rows, t)) continue;
    const part = all.map((_, e) => (Number.isNaN(score[t * experts + e]!) ? 0 : 1));
    if (part.includes(1)) return part;
  }
  return all;
}
