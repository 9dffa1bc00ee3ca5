import { describe, expect, it } from 'vitest';
import { stratified } from '../../../src/statistics/stratified.js';
import { bootstrapRatios } from '../../../src/statistics/bootstrap.js';
import { Mean, mean } from '../../../src/statistics/mean.js';
import { median, quantile } from '../../../src/statistics/quantile.js';
import { random } from '../../../src/statistics/random.js';
import { argmax, ranks, spearman } from '../../../evaluate/rank.js';

describe('stratified bootstrap', () => {
  const sample = (n: number, shift: number, seed: number) => {
    const next = random(seed);
    return { parts: Array.from({ length: n }, () => shift + next() - 0.5), wholes: Array.from({ length: n }, () => 1) };
  };

  it('is the mean of the strata, whatever their sizes', () => {
    const { value } = stratified([
      { parts: [1, 1, 1, 1], wholes: [1, 1, 1, 1] },
      { parts: [3], wholes: [1] },
    ]);
    expect(value).toBe(2);
  });

  it('is a ratio of sums, not a mean of ratios', () => {
    expect(stratified([{ parts: [1, 9], wholes: [10, 10] }]).value).toBe(0.5);
    expect(stratified([{ parts: [1, 9], wholes: [1, 99] }]).value).toBe(0.1);
  });

  it('has no width if documents do not differ, and repeats with the same seed', () => {
    const same = { parts: [2, 2, 2, 2, 2], wholes: [4, 4, 4, 4, 4] };
    expect(stratified([same])).toEqual({ value: 0.5, low: 0.5, high: 0.5 });
    const strata = [sample(20, 0, 3)];
    expect(stratified(strata, { seed: 5 })).toEqual(stratified(strata, { seed: 5 }));
    expect(stratified(strata, { seed: 5 })).not.toEqual(stratified(strata, { seed: 6 }));
  });

  it('has the width of the normal interval of a stratified mean', () => {
    const strata = [sample(60, 0, 1), sample(60, 1, 2)];
    const { low, high } = stratified(strata, { resamples: 4000 });
    const variance = strata.map(({ parts }) => {
      const m = parts.reduce((a, b) => a + b) / 60;
      return parts.reduce((s, x) => s + (x - m) ** 2, 0) / 60 / 60;
    });
    const normal = 2 * 1.96 * Math.sqrt((variance[0]! + variance[1]!) / 4);
    expect((high - low) / normal).toBeCloseTo(1, 1);
  });

  it('covers the true value about as often as it says', () => {
    let covered = 0;
    for (let i = 0; i < 200; i++) {
      const { low, high } = stratified([sample(30, 0.2, 100 + i), sample(30, -0.2, 900 + i)], { resamples: 300 });
      if (low <= 0 && 0 <= high) covered++;
    }
    expect(covered / 200).toBeGreaterThan(0.9);
    expect(covered / 200).toBeLessThan(0.99);
  });

  it('gives a value but no interval for few documents', () => {
    const few = { parts: [1, 1, 1, 1], wholes: [1, 1, 1, 1] };
    expect(stratified([few])).toEqual({ value: 1, low: NaN, high: NaN });
    expect(stratified([sample(20, 0, 1), few]).low).toBeNaN();
  });

  it('is NaN without documents', () => {
    expect(stratified([]).value).toBeNaN();
    expect(stratified([{ parts: [], wholes: [] }]).low).toBeNaN();
  });
});

describe('ranks', () => {
  it('gives equal values the same rank', () => {
    expect(ranks([10, 20, 20, 5])).toEqual([2, 3.5, 3.5, 1]);
    expect(ranks([])).toEqual([]);
  });

  it('correlates by rank alone', () => {
    expect(spearman([1, 2, 3], [1, 10, 1000])).toBeCloseTo(1);
    expect(spearman([1, 2, 3], [3, 2, 1])).toBeCloseTo(-1);
    expect(spearman([1, 2, 3, 4], [1, 2, 4, 3])).toBeCloseTo(0.8);
    expect(spearman([1, 1, 1], [1, 2, 3])).toBeNaN();
  });

  it('takes the first of equal values as the largest', () => {
    expect(argmax([1, 3, 3])).toBe(1);
    expect(argmax([])).toBe(-1);
  });
});

describe('the random generator', () => {
  it('is mulberry32: the same numbers for a seed, everywhere', () => {
    const next = random(1);
    expect([next(), next(), next()].map((x) => Math.floor(x * 2 ** 32))).toEqual([2693262067, 11749833, 2265367787]);
    expect(random(-1)()).toBe(random(2 ** 32 - 1)());
  });

  it('is even', () => {
    const next = random(5);
    const draws = Array.from({ length: 20_000 }, next);
    expect(mean(draws)).toBeCloseTo(0.5, 2);
    expect(mean(draws.map((x) => x ** 2))).toBeCloseTo(1 / 3, 2);
  });
});

describe('quantiles', () => {
  it('lie between the two values around them', () => {
    expect(quantile([1, 2, 10], 0.5)).toBe(2);
    expect(quantile([1, 2, 10], 0.75)).toBe(6);
    expect([quantile([7], 0.1), quantile([], 0.5)]).toEqual([7, NaN]);
    expect(median([10, 1, 2, 3])).toBe(2.5);
  });
});

describe('means and intervals', () => {
  it('ignore NaN', () => {
    const running = new Mean();
    for (const x of [1, NaN, 3]) running.add(x);
    expect([running.value, running.count, new Mean().value]).toEqual([2, 2, NaN]);
    // The wholes are 0 in every resample.
    expect(bootstrapRatios([1, 2], [0, 0], 1, { resamples: 10 })[0]!.low).not.toBeLessThan(Infinity);
    expect(bootstrapRatios([2, 2, 2], [1, 1, 1], 1)).toEqual([{ low: 2, high: 2 }]);
  });
});
