import { describe, expect, it } from 'vitest';
import { ExactMeans, ExactSums } from '../../../src/statistics/exactSums.js';
import { falseDiscovery } from '../../../src/statistics/falseDiscovery.js';
import { mutualInformation } from '../../../src/statistics/information.js';
import { chanceOfLess } from '../../../src/statistics/signFlips.js';
import { studentQuantile, twoSided } from '../../../src/statistics/tails.js';

describe('exact sums', () => {
  it('are exact beyond what a number can represent', () => {
    const sums = new ExactSums(1);
    const a = 4_294_967_291;
    // Nearly 2^73, their limit.
    for (let i = 0; i < 500; i++) sums.addProduct(0, a, a - i);
    let wanted = 0n;
    for (let i = 0; i < 500; i++) wanted += BigInt(a) * BigInt(a - i);
    const { high, low } = sums.state;
    expect(String(BigInt(high[0]!) * 2n ** 20n + BigInt(low[0]!))).toBe(String(wanted));
  });

  it('are the same in any order, also with negative numbers', () => {
    const values = [0.1, -7.3, 1e6, 0.2, -1e6, 3.14159, NaN];
    const [one, other] = [new ExactMeans(1), new ExactMeans(1)];
    for (const x of values) one.add(0, x);
    for (const x of values.reverse()) other.add(0, x);
    expect(one.state).toEqual(other.state);
    expect(one.mean(0)).toBeCloseTo((0.1 - 7.3 + 0.2 + 3.14159) / 6, 5);
  });
});

it('false discovery rates are those of Benjamini and Hochberg', () => {
  // Their own example (1995, table 1, the first five of 15 hypotheses) has p(4) = 0.0095 significant at 0.05: q = p × 15 / rank.
  const p = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528, 0.759, 1,
  ];
  const q = falseDiscovery(Float64Array.from([...p, NaN]));
  expect([...q].filter((x) => x <= 0.05).length).toBe(4);
  expect(q[3]).toBeCloseTo((0.0095 * 15) / 4, 8);
  expect(q[15]).toBe(NaN);
});

it('tails agree with the tables', () => {
  expect(twoSided(1.959964)).toBeCloseTo(0.05, 6);
  expect(twoSided(-5) / 5.733031e-7).toBeCloseTo(1, 5);
  expect(studentQuantile(10)).toBeCloseTo(2.228, 2);
  expect(studentQuantile(4)).toBeCloseTo(2.776, 1);
  expect(studentQuantile(3)).toBe(NaN);
});

it('mutual information is 0 for independent choices, and ln 2 for identical ones', () => {
  expect(
    mutualInformation([
      [5, 10],
      [1, 2],
    ]).value,
  ).toBeCloseTo(0, 9);
  const { value, chance } = mutualInformation([
    [50, 0],
    [0, 50],
  ]);
  expect(value).toBeCloseTo(Math.LN2, 9);
  expect(chance).toBeCloseTo(1 / 200, 9);
});

it('a sum is as low as it can be by chance once in 2^n', () => {
  expect(chanceOfLess([-1, -2, -0.5, -3, -1])).toBe(1 / 32);
  expect(chanceOfLess([1, 2, 0.5])).toBe(1);
  expect(chanceOfLess([1, -3])).toBe(2 / 4);
});
