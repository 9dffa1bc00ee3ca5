import { type BootstrapOptions, type Interval, interval } from './bootstrap.js';
import { mean, sum } from './mean.js';
import { random } from './random.js';

/** Units of one kind, such as documents: the parts and wholes of a ratio, one of each per unit. */
export interface Stratum {
  readonly parts: readonly number[];
  readonly wholes: readonly number[];
}

export interface Estimate extends Interval {
  readonly value: number;
}

/** With fewer units in a stratum, their spread is too uncertain for an interval; with one, the width would be 0. */
export const leastUnits = 5;

/**
 * Mean over the strata of Σ part ÷ Σ whole, with a percentile bootstrap interval: units are drawn with replacement
 * within each stratum, so that each keeps its size (ch. 6 and 8). The comparison is paired if `parts` are differences of two
 * strategies on the same unit. NaN for the value if a stratum is empty or there are no strata, and for the interval if one
 * is small.
 */
export function stratified(strata: readonly Stratum[], options: BootstrapOptions = {}): Estimate {
  const { seed = 1, resamples = 2000, level = 0.95 } = options;
  const value = mean(strata.map(({ parts, wholes }) => sum(parts) / sum(wholes)));
  if (Number.isNaN(value) || strata.some(({ parts }) => parts.length < leastUnits))
    return { value, low: NaN, high: NaN };
  const next = random(seed);
  const draws = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++) {
    let total = 0;
    for (const { parts, wholes } of strata) {
      let part = 0;
      let whole = 0;
      const size = parts.length;
      for (let i = 0; i < size; i++) {
        const d = Math.floor(next() * size);
        part += parts[d]!;
        whole += wholes[d]!;
      }
      total += part / whole;
    }
    draws[r] = total / strata.length;
  }
  return { value, ...interval(draws, level) };
}
