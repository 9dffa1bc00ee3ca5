import { blank, blockColumns } from '../trace/columns.js';
import { unreadable } from './reader.js';

/**
 * The k largest of each row of scores, the lower index where two are equal.
 * @param score [cells, N]
 * @param renormalised whether a weight is a share of the chosen, or else of all; undefined: no weights are known
 */
export function decide(
  score: Float32Array,
  experts: number,
  k: number,
  renormalised: boolean | undefined,
): { readonly chosen: Int16Array; readonly weight?: Float32Array } {
  const cells = score.length / experts;
  const chosen = blank(blockColumns.chosen, cells * k);
  const weight = renormalised === undefined ? undefined : blank(blockColumns.weight, cells * k);
  for (let cell = 0; cell < cells; cell++) {
    const row = score.subarray(cell * experts, (cell + 1) * experts);
    if (row.some((x) => Number.isNaN(x) || x === Infinity)) throw unreadable('some of its logits are no numbers');
    const best = largest(row, k);
    const top = row[best[0]!]!;
    if (top === -Infinity) throw unreadable('some of its logits are no numbers');
    chosen.set(best, cell * k);
    if (!weight) continue;
    const among = renormalised ? best : row.keys();
    let sum = 0;
    for (const e of among) sum += Math.exp(row[e]! - top);
    best.forEach((e, rank) => (weight[cell * k + rank] = Math.exp(row[e]! - top) / sum));
  }
  return { chosen, ...(weight && { weight }) };
}

function largest(row: Float32Array, k: number): Int16Array {
  return Int16Array.from(row.keys())
    .sort((a, b) => row[b]! - row[a]! || a - b)
    .subarray(0, k);
}
