/** Load: CV = sd ÷ mean (its square is the importance loss of Shazeer et al. 2017), evenness H ÷ ln E (Pielou), effective experts exp H (Hill 1973). */
import { describe, expect, it } from 'vitest';
import { chanceLoad, chanceLoadOf, load } from '../../../src/statistics/load.js';
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

  it('leaves out an expert that could not be chosen: eleven of twelve are even among eleven', () => {
    const share = Float64Array.from({ length: 12 }, (_, e) => (e < 11 ? 1 / 11 : 0));
    const now = load(share, share);
    expect(now).toMatchObject({ experts: 11, entropyRatio: 1, dead: [] });
    expect(now.effective).toBeCloseTo(11);
    expect(now.cv).toBeCloseTo(0);
    expect(load(share)).toMatchObject({ experts: 12, dead: [11] });
  });

  it('by chance is the same formula where all can be chosen everywhere', () => {
    const [n, k, cells] = [6, 2, 40];
    const q = k / n;
    const each = (x: number) => new Float64Array(n).fill(x);
    const draws = {
      chance: each(1 / n),
      variance: each((cells * q * (1 - q)) / (cells * k) ** 2),
      never: each((1 - q) ** cells),
    };
    const [got, even] = [chanceLoadOf(draws), chanceLoad({ share: each(0), cells, choices: cells * k })];
    for (const key of ['cv', 'entropyRatio', 'effective', 'dead'] as const) expect(got[key]).toBeCloseTo(even[key], 10);
  });

  it('by chance is as in a simulation if an expert is out at half of the cells', () => {
    const [n, k, cells, runs] = [5, 2, 40, 2000];
    const next = random(5);
    const mean = { square: 0, entropy: 0 };
    for (let r = 0; r < runs; r++) {
      const counts = new Float64Array(n);
      for (let c = 0; c < cells; c++) {
        const drawn = new Set<number>();
        while (drawn.size < k) drawn.add(Math.floor(next() * (c % 2 ? n : n - 1)));
        for (const e of drawn) counts[e]!++;
      }
      const now = load(counts.map((x) => x / (cells * k)));
      mean.square += now.cv ** 2 / runs;
      mean.entropy += now.entropyRatio / runs;
    }
    const [here, there] = [k / n, k / (n - 1)];
    const spread = (q: number) => (q * (1 - q) * cells) / 2 / (cells * k) ** 2;
    const each = (half: number, last: number) => Float64Array.from({ length: n }, (_, e) => (e < n - 1 ? half : last));
    const got = chanceLoadOf({
      chance: each((here + there) / 2 / k, here / 2 / k),
      variance: each(spread(here) + spread(there), spread(here)),
      never: each(0, 0),
    });
    expect(got.cv).toBeCloseTo(Math.sqrt(mean.square), 2);
    expect(got.entropyRatio).toBeCloseTo(mean.entropy, 2);
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
