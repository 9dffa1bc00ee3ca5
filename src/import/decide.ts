import { blank, blockColumns } from '../trace/model/columns.js';
import type { BlockColumns } from '../trace/model/trace.js';
import { unreadable } from './unreadable.js';

type Decided = Pick<BlockColumns, 'chosen' | 'weight' | 'score'>;

/**
 * What routers chose, from what transformers calls their logits: the k largest of each row, the lower index if two are
 * equal. Versions differ: some models give probabilities there, or the weights of the chosen experts among zeros.
 * @param given [cells, N]
 * @param renormalised whether weights are normalised over the chosen experts or else over all; undefined: weights are not known
 */
export function decide(given: Float32Array, experts: number, k: number, renormalised: boolean | undefined): Decided {
  const form = formOf(given, experts, k);
  // The softmax of the logarithms gives the probabilities again.
  const score = form === 'probabilities' ? given.map(Math.log) : given;
  const chosen = blank(blockColumns.chosen, (given.length / experts) * k);
  const weight =
    renormalised === undefined && form !== 'weights' ? undefined : blank(blockColumns.weight, chosen.length);
  for (let at = 0, cell = 0; at < score.length; at += experts, cell += k) {
    const row = score.subarray(at, at + experts);
    const best = largest(row, k);
    const known = form === 'weights' ? best.filter((e) => row[e]! > 0) : best;
    chosen.set(known, cell);
    weight?.set(form === 'weights' ? best.map((e) => row[e]!) : shares(row, best, renormalised!), cell);
  }
  return { chosen, ...(weight && { weight }), ...(form !== 'weights' && { score }) };
}

/** How near to 1 rows of probabilities add up in bfloat16; logits are far from it. */
const near = 0.01;

function formOf(given: Float32Array, experts: number, k: number): 'logits' | 'probabilities' | 'weights' {
  let [shared, few] = [true, k < experts];
  for (let at = 0; at < given.length; at += experts) {
    let [sum, most, chosen, least] = [0, -Infinity, 0, Infinity];
    for (let i = at; i < at + experts; i++) {
      const x = given[i]!;
      if (Number.isNaN(x)) throw unreadable('some of its logits are not numbers');
      sum += x;
      most = Math.max(most, x);
      least = Math.min(least, x);
      if (x !== 0) chosen++;
    }
    if (!Number.isFinite(most)) throw unreadable('some of its logits are not numbers');
    shared &&= least >= 0 && Math.abs(sum - 1) < near;
    few &&= chosen <= k;
  }
  return !shared ? 'logits' : few ? 'weights' : 'probabilities';
}

function largest(row: Float32Array, k: number): number[] {
  return [...row.keys()].sort((a, b) => row[b]! - row[a]! || a - b).slice(0, k);
}

function shares(row: Float32Array, best: readonly number[], ofBest: boolean): number[] {
  const exp = (e: number) => Math.exp(row[e]! - row[best[0]!]!);
  let sum = 0;
  for (const e of ofBest ? best : row.keys()) sum += exp(e);
  return best.map((e) => exp(e) / sum);
}
