/** Co-activation N_ab ÷ N_a over all pairs of a chosen set (Muennighoff et al. 2024, OLMoE); by chance (k − 1) ÷ (E − 1). */
import { describe, expect, it } from 'vitest';
import { Pairs, pairsOf } from '../../../src/statistics/pairs.js';
import { random } from '../../../src/statistics/random.js';

const of = (n: number, sets: readonly (readonly number[])[]) => {
  const pairs = new Pairs(n);
  for (const set of sets) pairs.add(set);
  return pairs.value;
};

describe('co-activation', () => {
  it('counts all pairs of a set, not only neighbours in rank', () => {
    const { counts, share, cells } = of(4, [
      [2, 0, 1],
      [1, 2],
      [2, -1],
    ]);
    // prettier-ignore
    expect([...counts]).toEqual([
      1, 1, 1, 0,
      1, 2, 2, 0,
      1, 2, 3, 0,
      0, 0, 0, 0,
    ]);
    expect([...share.subarray(8, 12)]).toEqual([1 / 3, 2 / 3, 1, 0]);
    expect(share[12]).toBeNaN();
    expect(cells).toBe(3);
  });

  it('of evenly drawn sets is at chance', () => {
    const next = random(2);
    const [n, k] = [12, 3];
    const sets = Array.from({ length: 20_000 }, () => {
      const drawn = new Set<number>();
      while (drawn.size < k) drawn.add(Math.floor(next() * n));
      return [...drawn];
    });
    const { share, chance } = of(n, sets);
    expect(chance).toBeCloseTo((k - 1) / (n - 1));
    expect(share[5 * n + 7]).toBeCloseTo(chance, 1);
  });
});

describe('pairs', () => {
  it('each come once, those furthest above N_a N_b ÷ cells first', () => {
    const found = pairsOf(
      of(5, [
        [0, 1],
        [0, 1],
        [0, 2],
        [0, 3],
        [2, 3],
      ]),
    );
    expect(found.map(({ a, b, count }) => [a, b, count])).toEqual([
      [0, 1, 2],
      [2, 3, 1],
      [0, 2, 1],
      [0, 3, 1],
    ]);
    // Expert 0 is in 4 of the 5 sets, expert 1 in 2.
    expect(found[0]!.expected).toBeCloseTo((4 * 2) / 5);
  });

  it('do not exist without sets', () => {
    expect(pairsOf(of(3, []))).toEqual([]);
    expect(pairsOf(of(3, [[1]]))).toEqual([]);
  });
});
