/** Which expert a token went to most, over many modules: what the text view, the hover and the decorations draw. */
import { isEven, type Measure, measured, type ModuleFilter, modulesOf, tokenCount } from './access.js';
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
  return sharesInto(new Float32Array(trace.experts.length), trace, t, modulesOf(trace, filter), measured(trace, by));
}

/** The leading expert of every token, special ones included; the lower expert index wins a tie. */
export function tokenLeaders(trace: Trace, filter: ModuleFilter = {}, by: Measure = 'weight'): Leaders {
  const modules = modulesOf(trace, filter);
  const parts = measured(trace, by);
  const expert = new Int16Array(tokenCount(trace)).fill(-1);
  const share = new Float32Array(expert.length);
  const shares = new Float32Array(trace.experts.length);
  for (let t = 0; t < trace.done; t++) {
    sharesInto(shares.fill(0), trace, t, modules, parts);
    for (let e = 0; e < shares.length; e++) {
      if (shares[e]! > share[t]!) [expert[t], share[t]] = [e, shares[e]!];
    }
    if (isEven(shares)) [expert[t], share[t]] = [-1, 0];
  }
  return { expert, share };
}

/** Expert indexes by share, largest first, those with none left out. */
export function ranked(shares: ArrayLike<number>): number[] {
  return Array.from({ length: shares.length }, (_, e) => e)
    .filter((e) => shares[e]! > 0)
    .sort((a, b) => shares[b]! - shares[a]! || a - b);
}

function sharesInto(
  out: Float32Array,
  trace: Trace,
  t: number,
  modules: Int32Array,
  parts: Float32Array,
): Float32Array {
  if (t >= trace.done) return out;
  const stride = tokenCount(trace) * trace.k;
  let total = 0;
  for (const m of modules) {
    const at = m * stride + t * trace.k;
    for (let i = at; i < at + trace.k; i++) {
      const e = trace.chosen[i]!;
      if (e < 0) continue;
      out[e]! += parts[i]!;
      total += parts[i]!;
    }
  }
  if (total > 0) for (let e = 0; e < out.length; e++) out[e]! /= total;
  return out;
}
