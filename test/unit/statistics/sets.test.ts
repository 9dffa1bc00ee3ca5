/** Top-k overlap |S ∩ S'| ÷ k (Muennighoff et al. 2024, OLMoE), Jaccard |S ∩ S'| ÷ |S ∪ S'|; by chance over the hypergeometric overlap. */
import { describe, expect, it } from 'vitest';
import { random } from '../../../src/statistics/random.js';
import { chanceJaccard, chanceTopKOverlap, jaccardOf, topKOverlapOf, shared } from '../../../src/statistics/sets.js';

const common = (a: readonly number[], b: readonly number[], toB?: readonly number[]) =>
  shared(Int16Array.from(a), 0, a.length, Int16Array.from(b), 0, b.length, toB && Int16Array.from(toB));

describe('two chosen sets', () => {
  it('share experts in any order; −1 is never shared', () => {
    expect(common([3, 1, 7], [7, 3, 2])).toBe(2);
    expect(common([3, -1], [-1, 3])).toBe(1);
    // Expert 0 of one is expert 2 of the other; expert 1 is missing there.
    expect(common([0, 1], [2, 1], [2, -1])).toBe(1);
  });

  it('agree according to the formulas', () => {
    expect(topKOverlapOf(2, 4, 4)).toBe(0.5);
    expect(jaccardOf(2, 4, 4)).toBeCloseTo(2 / 6);
    // The larger of the two is k.
    expect(topKOverlapOf(1, 1, 2)).toBe(0.5);
    expect(topKOverlapOf(0, 0, 0)).toBeNaN();
    expect(jaccardOf(0, 0, 0)).toBeNaN();
  });

  it('agree by chance as in a simulation', () => {
    const next = random(4);
    const [n, k] = [16, 4];
    const draw = () => {
      const drawn = new Set<number>();
      while (drawn.size < k) drawn.add(Math.floor(next() * n));
      return [...drawn];
    };
    const runs = 20_000;
    let topKOverlap = 0;
    let jaccard = 0;
    for (let r = 0; r < runs; r++) {
      const both = common(draw(), draw());
      topKOverlap += topKOverlapOf(both, k, k) / runs;
      jaccard += jaccardOf(both, k, k) / runs;
    }
    expect(chanceTopKOverlap(k, k, n)).toBe(k / n);
    expect(topKOverlap).toBeCloseTo(k / n, 2);
    expect(jaccard).toBeCloseTo(chanceJaccard(k, k, n), 2);
  });
});
