/** How far a statistic of few tokens can be trusted. */
import { chosenOffset, modulesOf, textTokens } from './access.js';
import type { Trace } from './trace.js';
import type { View } from './usage.js';

/** Below this many tokens a statistic is shown with a warning: its interval is as wide as most differences of interest. */
export const smallSample = 30;

export function isSmallSample(tokens: number): boolean {
  return tokens < smallSample;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface BootstrapOptions {
  readonly seed?: number;
  /** How often the sample is drawn anew. */
  readonly resamples?: number;
  /** Share of the resamples that the interval holds. */
  readonly level?: number;
}

/** A seeded generator of numbers in [0, 1): mulberry32 (Tommy Ettinger, public domain). */
export function random(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Percentile bootstrap of ratios Σ part ÷ Σ whole over units drawn with replacement (Efron 1979).
 * @param parts [U, N] row-major
 * @param wholes [U]
 * @returns an interval for each of N; NaN where no resample had any whole
 */
export function bootstrapRatios(
  parts: ArrayLike<number>,
  wholes: ArrayLike<number>,
  n: number,
  options: BootstrapOptions = {},
): Interval[] {
  const { seed = 1, resamples = 500, level = 0.95 } = options;
  const units = wholes.length;
  const next = random(seed);
  const draws = Array.from({ length: n }, () => new Float64Array(resamples));
  const sums = new Float64Array(n);
  for (let r = 0; r < resamples; r++) {
    sums.fill(0);
    let whole = 0;
    for (let i = 0; i < units; i++) {
      const u = Math.floor(next() * units);
      whole += wholes[u]!;
      for (let e = 0; e < n; e++) sums[e]! += parts[u * n + e]!;
    }
    for (let e = 0; e < n; e++) draws[e]![r] = sums[e]! / whole;
  }
  return draws.map((values) => {
    const sorted = values.filter((x) => !Number.isNaN(x)).sort();
    const at = (q: number) => sorted[Math.round(q * (sorted.length - 1))] ?? NaN;
    return { low: at((1 - level) / 2), high: at((1 + level) / 2) };
  });
}

/** Interval of the mean of some values, one for each token, say. */
export function bootstrapMean(values: ArrayLike<number>, options?: BootstrapOptions): Interval {
  return bootstrapRatios(values, new Uint8Array(values.length).fill(1), 1, options)[0]!;
}

/** An interval for each expert's usage. Whole tokens are drawn: the modules of one token are not independent. */
export function usageIntervals(trace: Trace, view: View = {}, options?: BootstrapOptions): Interval[] {
  const n = trace.experts.length;
  const tokens = view.tokens ?? textTokens(trace);
  const counts = new Float64Array(tokens.length * n);
  const choices = new Float64Array(tokens.length);
  const modules = modulesOf(trace, view);
  tokens.forEach((t, i) => {
    for (const m of modules) {
      const at = chosenOffset(trace, m, t);
      for (const e of trace.chosen.subarray(at, at + trace.k)) {
        if (e < 0) continue;
        counts[i * n + e]!++;
        choices[i]!++;
      }
    }
  });
  return bootstrapRatios(counts, choices, n, options);
}
