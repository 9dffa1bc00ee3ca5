import { describe, expect, it } from 'vitest';
import { leaderAt } from '../../../src/trace/access.js';
import { bootstrapMean, isSmallSample, random, usageIntervals } from '../../../src/trace/bootstrap.js';
import { ranked, tokenLeaders, tokenShares } from '../../../src/trace/leaders.js';
import { domainSpecialisation, mostAttracted, vocabularySpecialisation } from '../../../src/trace/specialisation.js';
import type { Trace } from '../../../src/trace/trace.js';
import { chanceLoad, coactivation, load, usage, usageByKind, usageByLayer } from '../../../src/trace/usage.js';
import { fabricate, without } from './fabricate.js';

/** Two modules, tokens `<s>` (special), a, b, a; three experts, k 2. Rows: module, then token; [expert, weight] pairs. */
function small(): Trace {
  const trace = fabricate({ layers: 2, kinds: ['q'], experts: 3, tokens: ['<|s|>', 'a', 'b', 'a'] });
  // prettier-ignore
  trace.chosen.set([
    2, 1, /**/ 0, 1, /**/ 1, 0, /**/ 0, 1,
    2, 1, /**/ 0, 2, /**/ 1, -1, /**/ 0, 1,
  ]);
  // prettier-ignore
  trace.weight.set([
    1, 0, /**/ 0.75, 0.25, /**/ 0.5, 0.5, /**/ 0.75, 0.25,
    1, 0, /**/ 0.75, 0.25, /**/ 1, 0, /**/ 0.75, 0.25,
  ]);
  return trace;
}

describe('usage', () => {
  it('counts choices of text tokens only', () => {
    const u = usage(small());
    expect([...u.counts]).toEqual([5, 5, 1]);
    expect(u).toMatchObject({ tokens: 3, cells: 6, choices: 11 });
    expect([...u.share]).toEqual([5 / 11, 5 / 11, 1 / 11]);
    expect([...u.chance]).toEqual([1 / 3, 1 / 3, 1 / 3].map((x) => expect.closeTo(x) as number));
    expect(u.weightShare[0]).toBeCloseTo((0.75 * 4 + 0.5) / 6);
  });

  it('leaves out tokens not routed yet', () => {
    expect(usage({ ...small(), done: 2 })).toMatchObject({ tokens: 1, cells: 2, choices: 4 });
    expect([...usage({ ...small(), done: 0 }).share]).toEqual([0, 0, 0]);
  });

  it('knows that an expert without a gate is not dead by choice', () => {
    const trace = small();
    for (let t = 0; t < 4; t++) trace.affinity![t * 3 + 2] = NaN; // expert 2 has no gate at module 0
    expect([...usage(trace, { layer: 0 }).chance]).toEqual([0.5, 0.5, 0]);
    expect(usage(trace).chance[2]).toBeCloseTo(5 / 3 / 11);
  });

  it('splits by layer and kind', () => {
    expect(usageByLayer(small()).map((u) => [...u.counts])).toEqual([
      [3, 3, 0],
      [2, 2, 1],
    ]);
    expect(usageByKind(small()).map((u) => u.choices)).toEqual([11]);
    expect([...usage(small(), { tokens: [2], layer: 1 }).counts]).toEqual([0, 1, 0]);
    expect(usage(small(), { kind: 'nothing' }).choices).toBe(0);
  });

  it('has an interval that holds the share and narrows with more tokens', () => {
    const width = (tokens: number) => {
      const trace = fabricate({ layers: 1, kinds: ['q'], tokens: Array.from({ length: tokens }, (_, i) => `t${i}`) });
      const share = usage(trace).share[0]!;
      const { low, high } = usageIntervals(trace)[0]!;
      expect(low <= share && share <= high).toBe(true);
      return high - low;
    };
    expect(width(400)).toBeLessThan(width(25) / 2);
    expect(usageIntervals(small())).toEqual(usageIntervals(small()));
    expect(isSmallSample(29)).toBe(true);
    expect(isSmallSample(30)).toBe(false);
  });
});

describe('load', () => {
  it('is even for even shares and one expert for one', () => {
    expect(load(Float64Array.of(0.25, 0.25, 0.25, 0.25))).toMatchObject({ cv: 0, maxOverMean: 1, dead: [] });
    const one = load(Float64Array.of(0, 1, 0, 0));
    expect(one).toMatchObject({ maxOverMean: 4, entropyRatio: 0, effective: 1, dead: [0, 2, 3] });
    expect(one.cv).toBeCloseTo(Math.sqrt(3));
  });

  it('is as uneven by chance as simulation says', () => {
    const next = random(3);
    const [n, k, cells] = [6, 2, 40];
    let cv = 0;
    let entropy = 0;
    const runs = 2000;
    for (let r = 0; r < runs; r++) {
      const counts = new Float64Array(n);
      for (let c = 0; c < cells; c++) {
        const first = Math.floor(next() * n);
        counts[first]!++;
        counts[(first + 1 + Math.floor(next() * (n - 1))) % n]!++;
      }
      const l = load(counts.map((x) => x / (cells * k)));
      cv += l.cv ** 2 / runs;
      entropy += l.entropyRatio / runs;
    }
    const got = chanceLoad({ ...usage(small()), share: new Float64Array(n), cells, choices: cells * k });
    expect(got.cv).toBeCloseTo(Math.sqrt(cv), 2);
    expect(got.entropyRatio).toBeCloseTo(entropy, 2);
  });
});

describe('co-activation', () => {
  it('counts all pairs of a cell, each way', () => {
    const { share, counts, chance } = coactivation(small());
    expect([...counts]).toEqual([5, 4, 1, 4, 5, 0, 1, 0, 1]);
    expect([...share]).toEqual([1, 0.8, 0.2, 0.8, 1, 0, 1, 0, 1]);
    expect(chance).toBeCloseTo((11 / 6 - 1) / 2);
  });

  it('is not a number for one never chosen', () => {
    expect(coactivation(small(), { layer: 0 }).share[6]).toBeNaN();
  });
});

describe('specialisation', () => {
  it('of a domain adds up to k', () => {
    const { share, chance, tokens } = domainSpecialisation([small(), small()]);
    expect([...share]).toEqual([5 / 6, 5 / 6, 1 / 6]);
    expect(chance).toBeCloseTo(11 / 6 / 3);
    expect(tokens).toBe(6);
    expect(domainSpecialisation([]).share.length).toBe(0);
  });

  it('of a token needs a least count', () => {
    const words = vocabularySpecialisation([small()], {}, 2);
    expect(words.text).toEqual(['a']);
    expect([...words.count]).toEqual([2]);
    expect([...words.share]).toEqual([1, 0.75, 0.25]);
    expect(vocabularySpecialisation([small()]).ids.length).toBe(0);
    expect(vocabularySpecialisation([small(), small()]).text).toEqual(['a']);
  });

  it('names what an expert draws most, above chance only', () => {
    const words = vocabularySpecialisation([small()], {}, 1);
    expect(mostAttracted(words, 1).map((w) => w.text)).toEqual(['b', 'a']);
    expect(mostAttracted(words, 2)).toEqual([]);
    expect(mostAttracted(words, 0)).toMatchObject([{ text: 'a', count: 2, share: 1 }]);
  });
});

describe('the leading expert', () => {
  it('of a token has the largest share of its weight', () => {
    const { expert, share } = tokenLeaders(small());
    expect([...expert]).toEqual([2, 0, 1, 0]);
    expect(share[1]).toBeCloseTo(0.75);
    expect([...tokenShares(small(), 2)].map((x) => expect.closeTo(x) as number)).toEqual([0.25, 0.75, 0]);
    expect([...tokenShares(small(), 2, { layer: 1 })]).toEqual([0, 1, 0]);
    expect(ranked(tokenShares(small(), 2))).toEqual([1, 0]);
  });

  it('goes by contribution when asked, by weight where there is none', () => {
    const trace = small();
    trace.contribution!.fill(0);
    trace.contribution![3] = 0.3; // module 0, token 1, its second choice: expert 1
    expect(tokenLeaders(trace, {}, 'contribution').expert[1]).toBe(1);
    expect(leaderAt(trace, 0, 1, 'contribution')).toBe(1);
    expect(leaderAt(trace, 0, 1)).toBe(0);
    expect(tokenLeaders(without(trace, 'contribution'), {}, 'contribution').expert[1]).toBe(0);
  });

  it('is none where nothing is applied or nothing routed yet', () => {
    const base = fabricate({ strategy: { name: 'base' } });
    base.chosen.fill(-1);
    base.weight.fill(0);
    expect([...tokenLeaders(base).expert]).toEqual([...base.tokens.ids].map(() => -1));
    expect(leaderAt(base, 0, 0)).toBe(-1);
    expect([...tokenLeaders({ ...small(), done: 2 }).expert]).toEqual([2, 0, -1, -1]);
    expect([...tokenShares({ ...small(), done: 2 }, 3)]).toEqual([0, 0, 0]);
  });

  it('is the lower index in a tie', () => {
    const trace = small();
    trace.weight.fill(0.5);
    expect(tokenLeaders(trace).expert[3]).toBe(0);
  });

  it('is nobody where all experts share alike', () => {
    const trace = fabricate({ experts: 3, k: 3 });
    trace.weight.fill(1 / 3);
    expect(new Set(tokenLeaders(trace).expert)).toEqual(new Set([-1]));
    expect(new Set(tokenLeaders(trace).share)).toEqual(new Set([0]));
    expect(leaderAt(trace, 0, 0)).toBe(-1);
    trace.weight[0] = 0.5;
    expect(leaderAt(trace, 0, 0)).toBe(trace.chosen[0]);
    expect(tokenLeaders(trace).expert[0]).toBe(trace.chosen[0]);
  });
});

describe('the bootstrap', () => {
  it('covers the true mean about as often as it says', () => {
    const next = random(11);
    let covered = 0;
    for (let r = 0; r < 200; r++) {
      const { low, high } = bootstrapMean(Array.from({ length: 60 }, next), { resamples: 200, seed: r });
      if (low <= 0.5 && 0.5 <= high) covered++;
    }
    expect(covered / 200).toBeGreaterThan(0.89);
    expect(covered / 200).toBeLessThan(0.99);
  });

  it('knows nothing of nothing', () => {
    expect(bootstrapMean([])).toEqual({ low: NaN, high: NaN });
  });
});
