/** By what an expert's part in a cell is measured. */
import { blockOf, type Rows } from '../model/access.js';
import type { Trace } from '../model/trace.js';

/**
 * `weight`: what the expert's output was multiplied by. `contribution`: how far it moved the output. `choice`: each choice
 * counts the same, which is all that can be said where a source gives neither.
 */
export type Measure = 'weight' | 'contribution' | 'choice';

/**
 * The measure that the sites can all be held to, as near to the one asked for as the source allows: a contribution falls
 * back to the weight, a weight to the choice. A view says which one it shows.
 */
export function measureOf(trace: Trace, sites: Int32Array, asked: Measure): Measure {
  const all = (column: 'weight' | 'contribution') => sites.every((s) => blockOf(trace, s)[column] !== undefined);
  if (asked === 'contribution' && all('contribution')) return 'contribution';
  return asked !== 'choice' && all('weight') ? 'weight' : 'choice';
}

/** The expert with the largest part in a cell; the better-placed one wins a tie. −1: none, or all experts have the same part. */
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

/** Whether all of several experts have the same share, as merged ones have: then none leads. */
export function isEven(shares: Float32Array | Float64Array): boolean {
  return shares.length > 1 && shares.every((share) => share === shares[0]);
}
