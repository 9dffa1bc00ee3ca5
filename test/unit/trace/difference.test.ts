import { describe, expect, it } from 'vitest';
import { rowsAt } from '../../../src/trace/model/access.js';
import { consequences } from '../../../src/trace/figures/consequences.js';
import { difference, jensenShannon, predictionDivergence } from '../../../src/trace/figures/difference.js';
import { isFixed } from '../../../src/trace/figures/overlap.js';
import { chanceJaccard } from '../../../src/statistics/sets.js';
import { biasedScores } from '../../../src/trace/model/selection.js';
import type { Intervention, TokenRange, Trace } from '../../../src/trace/model/trace.js';
import { blockOf, fabricate, fabricateIds, textOf, withBlock, without } from './fabricate.js';

const identity = Int16Array.of(0, 1, 2);

describe('the difference of two runs', () => {
  it('takes time in proportion to the token ranges of what-ifs', () => {
    const ranges = [0, 1].map((at) => Array.from({ length: 1000 }, (_, r): TokenRange => [2 * r + at, 2 * r + at + 1]));
    const tokens = Array.from({ length: 2000 }, (_, i) => `t${i}`);
    const interventions = Array.from({ length: 600 }, (_, i): Intervention => ({
      action: 'logit-bias',
      expert: `expert-${i % 5}`,
      amount: i,
      scope: { tokens: ranges[i % 2]! },
    }));
    const trace = fabricate({ tokens, interventions, kinds: ['q', 'k'] });
    // A pass over all ranges for each cell would take minutes.
    expect(difference(trace, fabricate({ tokens, kinds: ['q', 'k'] })).all.cells).toBe(4 * tokens.length);
    expect(biasedScores(rowsAt(trace, 3), 8)).toEqual(
      blockOf(trace)
        .score!.subarray((3 * 2000 + 8) * 5, (3 * 2000 + 9) * 5)
        .map((x, e) => x + [590, 596, 592, 598, 594][e]!),
    );
  });

  it('is nothing between a run and itself', () => {
    const trace = fabricate();
    const d = difference(trace, trace);
    expect(d.all).toMatchObject({ topKOverlap: 1, jaccard: 1, flipped: 0, cells: 14 * 15 });
    expect(d.all.divergence).toBeCloseTo(0);
    expect(d.all.chanceTopKOverlap).toBeCloseTo(2 / 5);
    expect(d.flips.every((f) => f === 0)).toBe(true);
    expect([...d.usage!.change].every((x) => x === 0)).toBe(true);
    expect([...d.predictions].every((x) => Math.abs(x) < 1e-6)).toBe(true);
    expect(d.logProb[0]).toBeNaN();
    expect(d.logProb[5]).toBe(0);
    expect(d.byLayer.length).toBe(2);
    // Of 16, one is special.
    expect(d.tokens).toBe(15);
  });

  it('is near chance between two random runs', () => {
    const tokens = Array.from({ length: 300 }, (_, i) => `t${i}`);
    const { all } = difference(fabricate({ seed: 1, tokens }), fabricate({ seed: 2, tokens }));
    expect(all.topKOverlap).toBeCloseTo(all.chanceTopKOverlap, 1);
    expect(all.jaccard).toBeCloseTo(all.chanceJaccard, 1);
  });

  it('counts an expert more as a flipped choice, whichever run has it', () => {
    const a = fabricate({ layers: 1, kinds: ['q'], tokens: ['a', 'b'] });
    const b = fabricate({ layers: 1, kinds: ['q'], tokens: ['a', 'b'] });
    blockOf(a).chosen.set([0, -1, 1, 2]);
    blockOf(b).chosen.set([0, 3, 1, 2]);
    for (const d of [difference(a, b), difference(b, a)]) {
      expect([...d.flips]).toEqual([1, 0]);
      expect(d.all.flipped).toBe(0.5);
    }
    // An expert that was added is no choice that stayed.
    expect(consequences(a, b, difference(a, b)).downstream).toEqual([0.5]);
  });

  it('counts flipped choices over the tokens that both have', () => {
    const a = fabricate({ layers: 1, kinds: ['q'], tokens: ['a', 'b', 'c'] });
    const b = fabricate({ layers: 1, kinds: ['q'], tokens: ['b', 'x', 'c'] });
    blockOf(a).chosen.set([0, 1, 0, 1, 2, 3]);
    blockOf(b).chosen.set([1, 2, 0, 1, 3, 2]);
    const same = { ...b, source: { ...b.source, tokenizer: 'other' } }; // aligned by text
    const d = difference(a, same);
    expect([...d.alignment.a]).toEqual([0, 1, -1, 2]);
    expect([...d.flips]).toEqual([-1, 1, -1, 0]);
    expect(d.all).toMatchObject({ topKOverlap: 0.75, flipped: 0.5, cells: 2 });
    expect(d.all.jaccard).toBeCloseTo((1 / 3 + 1) / 2);
  });

  it('matches experts by id and sites by path', () => {
    const a = fabricate({ experts: 3, kinds: ['q', 'k'] });
    const reversed = {
      ...withBlock(a, { chosen: blockOf(a).chosen.map((e) => 2 - e) }),
      expertSets: [{ scope: 'pool', experts: [...a.expertSets[0]!.experts].reverse() }],
    } as const;
    const b = without(reversed, 'score');
    expect(difference(a, b).all).toMatchObject({ topKOverlap: 1, flipped: 0, divergence: NaN });
    const fewer = fabricate({ experts: 3, kinds: ['q'] });
    expect(difference(a, fewer).modules.map((s) => s.module.kind)).toEqual(['q', 'q']);
    expect(difference(a, b, { layer: 1, kind: 'k' }).modules.length).toBe(1);
    expect(difference(a, b, { layer: 1 }).layers).toEqual([{ layer: 1 }]);
  });

  it('has no overlap for a base run, in which nothing is chosen', () => {
    const a = fabricate();
    const base = withBlock(a, { chosen: blockOf(a).chosen.map(() => -1) });
    expect(difference(a, base).all).toMatchObject({ topKOverlap: 0, flipped: 1 });
    expect(difference(base, base).all).toMatchObject({ topKOverlap: NaN, flipped: 0 });
  });

  it('compares site by site if each layer has its own experts, and gives no usage over layers', () => {
    const [a, b] = [fabricateIds({ seed: 1 }), fabricateIds({ seed: 2 })];
    const same = difference(a, a, { sequence: 1 });
    // The last of the four tokens passed through no router.
    expect(same.all).toMatchObject({ topKOverlap: 1, flipped: 0, cells: 4 * 3 });
    expect(same.all.divergence).toBeNaN();
    expect(same.usage).toBeUndefined();
    expect([...same.flips].filter((f) => f === -1)).toHaveLength(4);
    const input = difference(a, b);
    expect(input.modules.map(({ module }) => module.stack)).toEqual(Array(4).fill('encoder'));
    expect(input.all.chanceTopKOverlap).toBeCloseTo(8 / 256);
    expect(input.layers).toEqual([2, 3, 4, 5].map((layer) => ({ stack: 'encoder', layer })));
    expect(difference(a, b, { layer: 2 }).usage!.change.reduce((sum, x) => sum + x, 0)).toBeCloseTo(0);
  });

  it('of empty runs is empty', () => {
    const nothing = fabricate({ tokens: [] });
    expect(difference(nothing, nothing).all.cells).toBe(0);
  });
});

describe('divergences', () => {
  it('of distributions: 0 for equal, 1 bit for disjoint', () => {
    expect(jensenShannon(Float32Array.of(0.5, 0.5, 0), Float32Array.of(0.5, 0.5, 0), identity)).toBeCloseTo(0);
    expect(jensenShannon(Float32Array.of(1, 0, 0), Float32Array.of(0, 0, 1), identity)).toBeCloseTo(1);
    // By hand: M = (0.75, 0.25); ½ log₂(1/0.75) + ½ (½ log₂(0.5/0.75) + ½ log₂(0.5/0.25))
    expect(jensenShannon(Float32Array.of(1, 0, 0), Float32Array.of(0.5, 0.5, 0), identity)).toBeCloseTo(0.3112781, 5);
    expect(jensenShannon(undefined, Float32Array.of(1), identity)).toBeNaN();
  });

  it('of distributions over different experts: 1 bit', () => {
    expect(jensenShannon(Float32Array.of(1), Float32Array.of(1), Int16Array.of(-1))).toBeCloseTo(1);
  });

  it('of predictions never exceed the true Kullback-Leibler divergence', () => {
    const full = (p: number[], q: number[]) => p.reduce((sum, x, i) => sum + x * Math.log(x / q[i]!), 0);
    const p = [0.5, 0.2, 0.15, 0.1, 0.05];
    const q = [0.1, 0.3, 0.25, 0.2, 0.15];
    const top = (values: number[], P: number) => {
      const ids = [...values.keys()].sort((a, b) => values[b]! - values[a]!).slice(0, P);
      const trace = fabricate({ tokens: ['a'], predictions: P });
      textOf(trace).topIds!.set(ids);
      textOf(trace).topLogProb!.set(ids.map((i) => Math.log(values[i]!)));
      return textOf(trace);
    };
    const bound = (P: number) => predictionDivergence(top(p, P), 0, top(q, P), 0);
    expect(bound(5)).toBeCloseTo(full(p, q), 5);
    for (const P of [1, 2, 3, 4]) {
      expect(bound(P)).toBeGreaterThanOrEqual(0);
      expect(bound(P)).toBeLessThanOrEqual(full(p, q) + 1e-6);
    }
    expect(predictionDivergence(textOf(fabricate({ bare: true })), 0, textOf(fabricate()), 0)).toBeNaN();
  });
});

describe('a run with nothing to choose', () => {
  const trace = fabricate();
  const { chosen, k } = trace.blocks[0]!;
  const sent = (experts: (at: number) => number): Trace => ({
    ...trace,
    blocks: [{ ...trace.blocks[0]!, chosen: chosen.map((_, i) => experts(i)) }],
  });

  it('applies no expert, or the same ones to every token', () => {
    expect(isFixed(sent(() => -1))).toBe(true);
    expect(isFixed(sent((i) => (i % k === 0 ? 3 : -1)))).toBe(true);
    // Both experts, in either order.
    expect(isFixed(sent((i) => (i + Math.floor(i / k)) % 2))).toBe(true);
  });

  it('is not a run in which a single token goes elsewhere', () => {
    expect(isFixed(trace)).toBe(false);
    expect(isFixed(sent((i) => (i % k > 0 ? -1 : i === 5 * k ? 1 : 3)))).toBe(false);
  });
});

describe('what a what-if does', () => {
  it('is separated from its downstream effects, by layer', () => {
    const before = fabricate();
    const path = before.modules[0]!.path;
    const was = rowsAt(before, 0).chosen;
    const out = was[2]!;
    const expert = before.expertSets[0]!.experts[out]!.id;
    const next = (i: number) => [0, 1, 2, 3, 4].find((e) => !was.subarray(i - (i % 2), i - (i % 2) + 2).includes(e))!;
    const knocked: Trace = {
      ...withBlock(before, {
        chosen: blockOf(before).chosen.map((e, i) => (i < was.length && e === out ? next(i) : e)),
      }),
      interventions: [{ action: 'knock-out', expert, scope: { module: path } }],
    };
    const direct = consequences(before, knocked, difference(before, knocked));
    expect(direct.direct[0]).toBeGreaterThan(0);
    expect([direct.direct[1], ...direct.downstream]).toEqual([0, 0, 0]);
    // In the next layer, one of seven modules makes other choices: a seventh of that layer's cells.
    const { chosen, k } = blockOf(knocked);
    const tokens = textOf(knocked).tokens.count;
    const moved = chosen.map((e, i) => (Math.floor(i / (tokens * k)) === 9 ? (e + 1) % 5 : e));
    const after = withBlock(knocked, { chosen: moved });
    const found = consequences(before, after, difference(before, after));
    expect(found.direct).toEqual(direct.direct);
    expect(found.downstream[0]).toBe(0);
    expect(found.downstream[1]).toBeGreaterThan(0.05);
    expect(found.downstream[1]).toBeLessThanOrEqual(1 / 7);
  });
});

describe('overlap', () => {
  it('by chance is the mean over all pairs of sets', () => {
    // E 4, k 2: of the 6 sets one has overlap 2 (J 1), four overlap 1 (J 1/3), one 0.
    expect(chanceJaccard(2, 2, 4)).toBeCloseTo((1 + 4 / 3) / 6);
    expect(chanceJaccard(3, 3, 3)).toBeCloseTo(1);
  });
});
