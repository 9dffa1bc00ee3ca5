/** Which expert a token went to most, over many modules: what the text view, the hover and the decorations draw. */
import { chosenOffset, isEven, type Measure, measured, type ModuleFilter, modulesOf, tokenCount } from './access.js';
import type { Trace } from './trace.js';

export interface Leaders {
  /** [T] the leading expert; −1: none (not routed yet, all weights are 0, or all experts share alike). */
  readonly expert: Int16Array;
  /** [T] its share of the token's whole weight (or contribution), 0..1. Chance gives at least 1/N. */
  readonly share: Float32Array;
}

/**
 * [N] each expert's share of a token's routing weight (or contribution), summed over the modules; they add up to 1, or
 * are all 0 where nothing was applied.
 */
export function tokenShares(trace: Trace, t: number, filter: ModuleFilter = {}, by: Measure = 'weight'): Float32Array {
  if (t >= trace.done) return new Float32Array(trace.experts.length);
  return normalised(sumsOf(trace, t, t + 1, modulesOf(trace, filter), measured(trace, by)));
}

/** The leading expert of every token, special ones included; the lower expert index wins a tie. */
export function tokenLeaders(trace: Trace, filter: ModuleFilter = {}, by: Measure = 'weight'): Leaders {
  const n = trace.experts.length;
  const sums = sumsOf(trace, 0, trace.done, modulesOf(trace, filter), measured(trace, by));
  const expert = new Int16Array(tokenCount(trace)).fill(-1);
  const share = new Float32Array(expert.length);
  for (let t = 0; t < trace.done; t++) {
    const shares = normalised(sums.subarray(t * n, (t + 1) * n));
    if (isEven(shares)) continue;
    for (let e = 0; e < n; e++) if (shares[e]! > share[t]!) [expert[t], share[t]] = [e, shares[e]!];
  }
  return { expert, share };
}

/** Expert indexes by share, largest first, those with none left out. */
export function ranked(shares: ArrayLike<number>): number[] {
  return Array.from({ length: shares.length }, (_, e) => e)
    .filter((e) => shares[e]! > 0)
    .sort((a, b) => shares[b]! - shares[a]! || a - b);
}

/** [tokens, N] what each expert has of the tokens [from, to), summed over modules; in the arrays' own order, for the cache. */
function sumsOf(trace: Trace, from: number, to: number, modules: Int32Array, parts: Float32Array): Float32Array {
  const n = trace.experts.length;
  const sums = new Float32Array((to - from) * n);
  for (const m of modules) {
    for (let t = from, i = chosenOffset(trace, m, from); t < to; t++) {
      for (const end = i + trace.k; i < end; i++) {
        const e = trace.chosen[i]!;
        if (e >= 0) sums[(t - from) * n + e]! += parts[i]!;
      }
    }
  }
  return sums;
}

/** In place. */
function normalised(sums: Float32Array): Float32Array {
  const total = sums.reduce((a, b) => a + b, 0);
  if (total > 0) for (let e = 0; e < sums.length; e++) sums[e]! /= total;
  return sums;
}
