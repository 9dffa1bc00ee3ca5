/** The measures of an expert's part in a cell. */
import { blockOf, type Rows } from '../model/access.js';
import type { Trace } from '../model/trace.js';

/**
 * `weight`: the factor on the expert's output. `contribution`: the size of what it added. `choice`: each choice counts the
 * same, for sources that give neither.
 */
export type Measure = 'weight' | 'contribution' | 'choice';

/**
 * The measure that all the modules have and that is closest to the one asked for: contribution falls back to weight, weight to
 * choice. A view says which one it shows.
 */
export function measureOf(trace: Trace, modules: Int32Array, asked: Measure): Measure {
  const all = (column: 'weight' | 'contribution') => modules.every((s) => blockOf(trace, s)[column] !== undefined);
  if (asked === 'contribution' && all('contribution')) return 'contribution';
  return asked !== 'choice' && all('weight') ? 'weight' : 'choice';
}

/** The expert with the largest part in a cell; the better rank wins a tie. −1: none, or all experts have the same part. */
export function leaderAt(rows: Rows, t: number, asked: Measure = 'weight'): number {
  const { chosen, k, experts } = rows;
  const parts =
    asked === 'choice' ? undefined : ((asked === 'contribution' ? rows.contribution : undefined) ?? rows.weight);
  let best = -1;
  let most = -Infinity;
  let alike = k > 1 && k === experts;
  for (let i = t * k; i < (t + 1) * k; i++) {
    const part = parts ? parts[i]! : 1;
    if (part !== (parts ? parts[t * k]! : 1)) alike = false;
    if (chosen[i]! >= 0 && part > most) [best, most] = [chosen[i]!, part];
  }
  return alike ? -1 : best;
}

/** Whether several experts all have the same share, as merged ones do; then none leads. */
export function isEven(shares: Float32Array | Float64Array): boolean {
  return shares.length > 1 && shares.every((share) => share === shares[0]);
}
