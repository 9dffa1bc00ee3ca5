/** The few statistics that the evaluation needs beside the trace's own. */
import { type BootstrapOptions, type Interval, interval } from '../src/statistics/bootstrap.js';
import { random } from '../src/statistics/random.js';

/** Documents of one kind: parts and wholes of a ratio, one of each a document. */
export interface Stratum {
  readonly parts: readonly number[];
  readonly wholes: readonly number[];
}

export interface Estimate extends Interval {
  readonly value: number;
}

/** With fewer documents in a stratum their spread is not known well enough for an interval; of one it would be 0 wide. */
export const leastDocuments = 5;

/**
 * Mean over the strata of Σ part ÷ Σ whole, with a percentile bootstrap interval: documents are drawn with replacement
 * within each stratum, so that each keeps its size (Efron & Tibshirani 1993, ch. 6 and 8). Paired when `parts` are
 * differences of two strategies on the same document. No value (NaN) when a stratum is empty or there is none, no
 * interval when one is small.
 */
export function stratified(strata: readonly Stratum[], options: BootstrapOptions = {}): Estimate {
  const { seed = 1, resamples = 2000, level = 0.95 } = options;
  const value = mean(strata.map(({ parts, wholes }) => sum(parts) / sum(wholes)));
  if (Number.isNaN(value) || strata.some(({ parts }) => parts.length < leastDocuments))
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

/** Ranks from 1; equal values share the mean of theirs. */
export function ranks(values: readonly number[]): number[] {
  const order = [...values.keys()].sort((a, b) => values[a]! - values[b]!);
  const out = new Array<number>(values.length);
  for (let i = 0; i < order.length;) {
    let j = i;
    while (j < order.length && values[order[j]!] === values[order[i]!]) j++;
    for (let x = i; x < j; x++) out[order[x]!] = (i + j + 1) / 2;
    i = j;
  }
  return out;
}

/** Spearman's rank correlation; NaN where one side is constant. */
export function spearman(a: readonly number[], b: readonly number[]): number {
  return pearson(ranks(a), ranks(b));
}

function pearson(a: readonly number[], b: readonly number[]): number {
  const ma = mean(a);
  const mb = mean(b);
  let ab = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]! - ma, b[i]! - mb];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : NaN;
}

/** The place of the largest value, the first among equals; −1 of nothing. */
export function argmax(values: ArrayLike<number>): number {
  let best = -1;
  for (let i = 0; i < values.length; i++) if (best < 0 || values[i]! > values[best]!) best = i;
  return best;
}

export function sum(values: Iterable<number>): number {
  let total = 0;
  for (const x of values) total += x;
  return total;
}

/** NaN of nothing. */
export function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
