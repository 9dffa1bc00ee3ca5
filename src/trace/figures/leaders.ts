/** The leading expert of each token, over modules that share their experts, for the text view, the hover and the decorations. */
import { blockOf, rowsAt, type SharedModules } from '../model/access.js';
import { isEven, type Measure, measureOf } from './measure.js';
import type { Trace } from '../model/trace.js';

export interface Leaders {
  /** [T] the leading expert; −1: none (not routed yet, all weights are 0, or all experts have the same share). */
  readonly expert: Int16Array;
  /** [T] its share of the token's total weight (or contribution, or choices), 0..1. By chance at least 1/N. */
  readonly share: Float32Array;
}

/**
 * [N] each expert's share of a token's routing weight (or of what `measureOf` puts in its place), summed over the modules. The
 * shares add up to 1, or are all 0 if no expert was applied.
 */
export function tokenShares(trace: Trace, modules: SharedModules, t: number, asked: Measure = 'weight'): Float32Array {
  if (t >= modules.sequence.done) return new Float32Array(modules.experts.length);
  return normalised(sumsOf(trace, modules, t, t + 1, asked));
}

/** [N] the same for the tokens [from, to) together: their weights are added up. */
export function shareOfTokens(trace: Trace, modules: SharedModules, from: number, to: number): Float32Array {
  const n = modules.experts.length;
  const sums = sumsOf(trace, modules, from, Math.max(from, Math.min(to, modules.sequence.done)), 'weight');
  const total = new Float32Array(n);
  sums.forEach((x, i) => (total[i % n]! += x));
  return normalised(total);
}

/** [done, N] `tokenShares` of every token that is routed. */
export function allTokenShares(trace: Trace, modules: SharedModules, asked: Measure = 'weight'): Float32Array {
  const n = modules.experts.length;
  const sums = sumsOf(trace, modules, 0, modules.sequence.done, asked);
  for (let t = 0; t < modules.sequence.done; t++) normalised(sums.subarray(t * n, (t + 1) * n));
  return sums;
}

/** The leading expert of every token, special ones included; the lower expert index wins a tie. */
export function tokenLeaders(trace: Trace, modules: SharedModules, asked: Measure = 'weight'): Leaders {
  const n = modules.experts.length;
  const { done, tokens } = modules.sequence;
  const all = allTokenShares(trace, modules, asked);
  const expert = new Int16Array(tokens.count).fill(-1);
  const share = new Float32Array(tokens.count);
  for (let t = 0; t < done; t++) {
    const shares = all.subarray(t * n, (t + 1) * n);
    if (isEven(shares)) continue;
    for (let e = 0; e < n; e++) if (shares[e]! > share[t]!) [expert[t], share[t]] = [e, shares[e]!];
  }
  return { expert, share };
}

/** Whether only the order of a token's experts is known: one module, and no weights. */
export function isRankOnly(trace: Trace, { modules }: SharedModules): boolean {
  return modules.length === 1 && measureOf(trace, modules, 'weight') === 'choice';
}

/** The experts that a text shows: the leading one of every token; if only their order is known, the first one. */
export function shownLeaders(trace: Trace, modules: SharedModules): Leaders {
  if (!isRankOnly(trace, modules)) return tokenLeaders(trace, modules);
  const { chosen, k } = rowsAt(trace, modules.modules[0]!);
  const expert = Int16Array.from({ length: modules.sequence.tokens.count }, (_, t) => chosen[t * k]!);
  return { expert, share: Float32Array.from(expert, (e) => (e < 0 ? 0 : 1)) };
}

/**
 * The experts that lead most often, each one of a tie, by index; none if nobody leads.
 *
 * @param leaders each token's leading expert; below 0: none, and not counted
 */
export function leadMost(leaders: Iterable<number>): { readonly experts: readonly number[]; readonly share: number } {
  const counts = new Map<number, number>();
  let known = 0;
  for (const expert of leaders) {
    if (expert < 0) continue;
    known++;
    counts.set(expert, (counts.get(expert) ?? 0) + 1);
  }
  const most = Math.max(0, ...counts.values());
  const experts = [...counts].flatMap(([expert, count]) => (count === most ? [expert] : [])).sort((a, b) => a - b);
  return { experts, share: known > 0 ? most / known : NaN };
}

/** Expert indexes by share, largest first; experts without a share are left out. */
export function ranked(shares: ArrayLike<number>): number[] {
  return Array.from({ length: shares.length }, (_, e) => e)
    .filter((e) => shares[e]! > 0)
    .sort((a, b) => shares[b]! - shares[a]! || a - b);
}

/** [tokens, N] each expert's part of the tokens [from, to), summed over modules. Reads the arrays in their own order, for the CPU cache. */
function sumsOf(
  trace: Trace,
  { modules, sequence, experts }: SharedModules,
  from: number,
  to: number,
  asked: Measure,
): Float32Array {
  const n = experts.length;
  const T = sequence.tokens.count;
  const measure = measureOf(trace, modules, asked);
  const sums = new Float32Array((to - from) * n);
  for (const s of modules) {
    const block = blockOf(trace, s);
    const { chosen, k } = block;
    const parts = measure === 'choice' ? undefined : block[measure];
    for (let t = from, i = ((s - block.from) * T + from) * k; t < to; t++) {
      for (const end = i + k; i < end; i++) {
        const e = chosen[i]!;
        if (e >= 0) sums[(t - from) * n + e]! += parts ? parts[i]! : 1;
      }
    }
  }
  return sums;
}

/** Changes `sums` in place. */
function normalised(sums: Float32Array): Float32Array {
  let total = 0;
  for (const x of sums) total += x;
  if (total > 0) for (let e = 0; e < sums.length; e++) sums[e]! /= total;
  return sums;
}
