/** Load: CV = sd ÷ mean (its square is the importance loss of Shazeer et al. 2017), evenness H ÷ ln E (Pielou), effective experts exp H (Hill 1973). */
import { describe, expect, it } from 'vitest';
import { chanceLoad, load } from '../../../src/statistics/load.js';
import { random } from '../../../src/statistics/random.js';

describe('load', () => {
  it('is even for even shares, and has one effective expert if one has all', () => {
    expect(load(Float64Array.of(0.25, 0.25, 0.25, 0.25))).toMatchObject({ cv: 0, maxVio: 0, dead: [] });
    const one = load(Float64Array.of(0, 1, 0, 0));
    expect(one).toMatchObject({ maxVio: 3, entropyRatio: 0, effective: 1, dead: [0, 2, 3] });
    // √(E − 1)
    expect(one.cv).toBeCloseTo(Math.sqrt(3));
  });

  it('follows the formulas', () => {
    const { cv, entropyRatio, effective } = load(Float64Array.of(1 / 2, 1 / 4, 1 / 4));
    const h = Math.log(2) / 2 + Math.log(4) / 2;
    expect(entropyRatio).toBeCloseTo(h / Math.log(3));
    expect(effective).toBeCloseTo(Math.exp(h));
    // Variance ((1/6)² + 2 · (1/12)²) ÷ 3 over mean 1/3.
    expect(cv).toBeCloseTo(Math.sqrt((1 / 36 + 2 / 144) / 3) * 3);
  });

  it('has as many effective experts as share the load evenly, however many are dead', () => {
    const { effective, dead } = load(Float64Array.of(0.2, 0, 0.2, 0.2, 0, 0.2, 0.2, 0));
    expect(effective).toBeCloseTo(5);
    expect(dead).toEqual([1, 4, 7]);
  });

  it('without choices has no effective expert', () => {
    expect(load(new Float64Array(3))).toMatchObject({ effective: 0, dead: [0, 1, 2] });
    expect(load(Float64Array.of(1)).entropyRatio).toBeNaN();
  });

  it.each([
    { n: 6, k: 2, cells: 40 },
    { n: 64, k: 8, cells: 100 },
  ])('with k = $k of $n is as uneven by chance as in a simulation', ({ n, k, cells }) => {
    const next = random(3);
    const runs = 1000;
    const mean = { square: 0, entropy: 0, dead: 0 };
    for (let r = 0; r < runs; r++) {
      const counts = new Float64Array(n);
      for (let c = 0; c < cells; c++) {
        const drawn = new Set<number>();
        while (drawn.size < k) drawn.add(Math.floor(next() * n));
        for (const e of drawn) counts[e]!++;
      }
      const now = load(counts.map((x) => x / (cells * k)));
      mean.square += now.cv ** 2 / runs;
      mean.entropy += now.entropyRatio / runs;
      mean.dead += now.dead.length / runs;
    }
    const got = chanceLoad({ share: new Float64Array(n), cells, choices: cells * k });
    expect(got.cv).toBeCloseTo(Math.sqrt(mean.square), 2);
    expect(got.entropyRatio).toBeCloseTo(mean.entropy, 2);
    expect(got.effective).toBeCloseTo(n ** got.entropyRatio);
    expect(got.dead).toBeCloseTo(mean.dead, 1);
  });
});
