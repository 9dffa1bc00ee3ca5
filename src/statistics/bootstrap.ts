/** The percentile bootstrap: intervals for statistics of few units (Efron & Tibshirani 1993, ch. 6, 8 and 13). */
import { quantile } from './quantile.js';
import { random } from './random.js';

export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface BootstrapOptions {
  readonly seed?: number;
  /** How often the sample is redrawn. */
  readonly resamples?: number;
  /** Share of the resamples inside the interval. */
  readonly level?: number;
}

/**
 * Ratios Σ part ÷ Σ whole over units drawn with replacement.
 * @param parts [U, N] row-major
 * @param wholes [U]
 * @returns an interval for each of N; NaN if the wholes were 0 in every resample
 */
export function bootstrapRatios(
  parts: ArrayLike<number>,
  wholes: ArrayLike<number>,
  n: number,
  options: BootstrapOptions = {},
): Interval[] {
  const { seed = 1, resamples = 500, level = 0.95 } = options;
  return ratiosDrawn({ parts, wholes }, n, resamples, random(seed)).map((values) => interval(values, level));
}

/** Units: `parts` [U, N] row-major, `wholes` [U]. */
export interface Units {
  readonly parts: ArrayLike<number>;
  readonly wholes: ArrayLike<number>;
}

/** [N] intervals of one sample's ratios, and of their differences from another's. */
export interface ContrastIntervals {
  readonly a: readonly Interval[];
  readonly difference: readonly Interval[];
}

/** For two samples, each redrawn by itself (ch. 8.3): a's ratios, and a's − b's. NaN if the wholes of either are 0. */
export function bootstrapContrast(a: Units, b: Units, n: number, options: BootstrapOptions = {}): ContrastIntervals {
  const { seed = 1, resamples = 500, level = 0.95 } = options;
  const next = random(seed);
  const [ofA, ofB] = [ratiosDrawn(a, n, resamples, next), ratiosDrawn(b, n, resamples, next)];
  return {
    a: ofA.map((values) => interval(values, level)),
    difference: ofA.map((values, e) =>
      interval(
        values.map((value, r) => value - ofB[e]![r]!),
        level,
      ),
    ),
  };
}

/** For each of N, [resamples] values of Σ part ÷ Σ whole over units drawn with replacement. */
function ratiosDrawn({ parts, wholes }: Units, n: number, resamples: number, next: () => number): Float64Array[] {
  const units = wholes.length;
  const draws = Array.from({ length: n }, () => new Float64Array(resamples));
  const sums = new Float64Array(n);
  // Most parts are 0, so only the others are summed: a token has weight in, say, 8 of 128 experts.
  const starts = new Int32Array(units + 1);
  const places: number[] = [];
  for (let u = 0; u < units; u++) {
    for (let e = 0; e < n; e++) if (parts[u * n + e] !== 0) places.push(e);
    starts[u + 1] = places.length;
  }
  for (let r = 0; r < resamples; r++) {
    sums.fill(0);
    let whole = 0;
    for (let i = 0; i < units; i++) {
      const u = Math.floor(next() * units);
      whole += wholes[u]!;
      for (let p = starts[u]!; p < starts[u + 1]!; p++) sums[places[p]!]! += parts[u * n + places[p]!]!;
    }
    for (let e = 0; e < n; e++) draws[e]![r] = sums[e]! / whole;
  }
  return draws;
}

/** The central part of the resamples' values, without NaN. */
export function interval(values: Float64Array, level: number): Interval {
  const sorted = values.filter((x) => !Number.isNaN(x)).sort();
  return { low: quantile(sorted, (1 - level) / 2), high: quantile(sorted, (1 + level) / 2) };
}
