import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layersOf, rowsAt, textTokens } from '../../../src/trace/model/access.js';
import {
  certainty,
  certaintyAt as certaintyOfRows,
  certaintyByToken,
  distribution as distributionOfRows,
  entropyByLayer,
  softmax,
} from '../../../src/trace/figures/distribution.js';
import { forcedAt as forcedInRows, selectionScores as scoresOfRows } from '../../../src/trace/model/selection.js';
import type { Intervention, Trace } from '../../../src/trace/model/trace.js';
import { whatIfAt } from '../../../src/trace/model/whatIf.js';
import { blockOf, fabricate, textOf, without, withBlock } from './fabricate.js';

const softly = (scores: Float32Array, k?: number) => certainty(scores, k, 'softmax', scores);
const certaintyAt = (trace: Trace, s: number, t: number) => certaintyOfRows(trace, rowsAt(trace, s), t);
const distribution = (trace: Trace, s: number, t: number) => distributionOfRows(trace, rowsAt(trace, s), t);
const selectionScores = (trace: Trace, s: number, t: number) => scoresOfRows(rowsAt(trace, s), t);
const forcedAt = (trace: Trace, s: number, t: number) => forcedInRows(rowsAt(trace, s), t);
const rawScores = (trace: Trace, s: number, t: number) => {
  const { score, experts } = rowsAt(trace, s);
  return score!.subarray(t * experts, (t + 1) * experts);
};

/** The definition, computed directly. */
function naive(scores: readonly number[], k: number) {
  const usable = scores.filter((a) => a > -Infinity).sort((a, b) => b - a);
  const z = usable.reduce((sum, a) => sum + Math.exp(a), 0);
  const p = usable.map((a) => Math.exp(a) / z);
  const h = -p.reduce((sum, x) => sum + (x > 0 ? x * Math.log(x) : 0), 0);
  return {
    entropy: usable.length > 1 ? h / Math.log(usable.length) : usable.length === 1 ? 0 : NaN,
    margin: usable.length > k ? usable[k - 1]! - usable[k]! : NaN,
    topKProbability: usable.length > 0 ? p.slice(0, k).reduce((sum, x) => sum + x, 0) : NaN,
  };
}

describe('the certainty of the router', () => {
  it('agrees with the definitions', () => {
    const score = fc.oneof(
      { weight: 8, arbitrary: fc.float({ min: -30, max: 30, noNaN: true }) },
      fc.constantFrom(NaN, -Infinity),
    );
    fc.assert(
      fc.property(fc.array(score, { maxLength: 12 }), fc.integer({ min: 1, max: 4 }), (scores, k) => {
        const got = softly(Float32Array.from(scores), k);
        const want = naive(scores, k);
        for (const key of ['entropy', 'margin', 'topKProbability'] as const) {
          expect(Number.isNaN(got[key])).toBe(Number.isNaN(want[key]));
          if (!Number.isNaN(want[key])) expect(got[key]).toBeCloseTo(want[key], 5);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('has entropy 1 for equal scores and 0 for a single one', () => {
    expect(softly(Float32Array.of(2, 2, 2, 2), 2)).toEqual({
      entropy: expect.closeTo(1) as number,
      margin: 0,
      topKProbability: 0.5,
    });
    expect(softly(Float32Array.of(NaN, 3), 2)).toEqual({ entropy: 0, margin: NaN, topKProbability: 1 });
    expect(softly(Float32Array.of(NaN, -Infinity), 2)).toEqual({ entropy: NaN, margin: NaN, topKProbability: NaN });
  });

  it('survives scores that overflow exp', () => {
    expect([...softmax(Float32Array.of(1000, 1000, -1000))]).toEqual([0.5, 0.5, 0]);
    expect([...softmax(Float32Array.of(NaN, -Infinity))]).toEqual([0, 0]);
  });

  it('has no margin under fixed weights, and no figures at all without scores', () => {
    const fixed = fabricate({ router: { name: 'merged', scoring: 'softmax' } });
    expect(certaintyAt(fixed, 0, 1).margin).toBeNaN();
    expect(certaintyAt(fixed, 0, 1).entropy).toBeGreaterThan(0);
    expect(certaintyAt(fabricate({ bare: true }), 0, 1).entropy).toBeNaN();
    expect(distribution(fabricate({ bare: true }), 0, 1)).toBeUndefined();
  });

  it('gives entropy and mass only if it is known how scores become a distribution', () => {
    const trace = fabricate({ router: { name: 'unknown', k: 2 } });
    expect(certaintyAt(trace, 0, 1)).toEqual({
      entropy: NaN,
      margin: certaintyAt(fabricate(), 0, 1).margin,
      topKProbability: NaN,
    });
    expect(distribution(trace, 0, 1)).toBeUndefined();
    const sigmoid = fabricate({ router: { name: 'deepseek-v3', k: 2, scoring: 'sigmoid' } });
    const p = Array.from(rawScores(sigmoid, 0, 1), (a) => 1 / (1 + Math.exp(-a)));
    const sum = p.reduce((a, b) => a + b);
    const h = -p.reduce((total, x) => total + (x / sum) * Math.log(x / sum), 0);
    expect([...distribution(sigmoid, 0, 1)!]).toEqual(p.map((x) => expect.closeTo(x / sum) as number));
    expect(certaintyAt(sigmoid, 0, 1).entropy).toBeCloseTo(h / Math.log(5));
    const best = [...p].sort((a, b) => b - a).slice(0, 2);
    expect(certaintyAt(sigmoid, 0, 1).topKProbability).toBeCloseTo((best[0]! + best[1]!) / sum);
  });

  it('uses selection scores for the margin and raw scores for the rest, if these differ', () => {
    const trace = fabricate({ layers: 1, kinds: ['q'], experts: 4, tokens: ['a'] });
    blockOf(trace).score!.set([1, 2, 3, 0]);
    // The third expert is outside the chosen group.
    const own = withBlock(trace, { selection: Float32Array.of(5, 2, -Infinity, 1) });
    const p = [1, 2, 0].map((a) => Math.exp(a) / (Math.exp(1) + Math.exp(2) + Math.exp(0)));
    const { entropy, margin, topKProbability } = certaintyAt(own, 0, 0);
    expect(margin).toBe(1);
    expect(topKProbability).toBeCloseTo(p[0]! + p[1]!);
    expect(entropy).toBeCloseTo(-p.reduce((h, x) => h + x * Math.log(x), 0) / Math.log(3));
    expect([...distribution(own, 0, 0)!]).toEqual([p[0], p[1], 0, p[2]].map((x) => expect.closeTo(x!) as number));
    expect(certaintyAt(without(own, 'score'), 0, 0)).toEqual({ entropy: NaN, margin: 1, topKProbability: NaN });
    expect(distribution(without(own, 'score'), 0, 0)).toBeUndefined();
  });

  it('is averaged over modules and tokens, without special tokens and those not yet routed', () => {
    const trace = fabricate({ layers: 2, kinds: ['q', 'k'], tokens: ['<|s|>', 'a', 'b', 'c'], done: 3 });
    const byToken = certaintyByToken(trace);
    expect(byToken.entropy[1]).toBeCloseTo(
      [0, 1, 2, 3].reduce((sum, m) => sum + certaintyAt(trace, m, 1).entropy, 0) / 4,
    );
    expect(byToken.entropy[3]).toBeNaN();
    const layer1 = [2, 3].flatMap((m) => [1, 2].map((t) => certaintyAt(trace, m, t).entropy));
    expect(entropyByLayer(trace)[1]).toBeCloseTo(layer1.reduce((a, b) => a + b) / 4);
    expect(layersOf(trace)).toEqual([{ layer: 0 }, { layer: 1 }]);
    expect([...textTokens(textOf(trace))]).toEqual([1, 2]);
  });
});

describe('the scores that the router compared under interventions', () => {
  const experts = [{ id: 'a' }, { id: 'b' }, { id: 'c' }];
  const module = { path: 'model.layers.3.q', layer: 3, kind: 'q', sequence: 0, expertSet: 0 };
  const everywhere = {};
  const bias = (interventions: Intervention[], t = 0) => {
    const { bias, forced } = whatIfAt(interventions, experts, module)?.at(t) ?? { bias: [0, 0, 0], forced: -1 };
    return [...bias, forced];
  };

  it('are the raw scores without interventions, not copied', () => {
    const trace = fabricate();
    expect(selectionScores(trace, 3, 2)!.buffer).toBe(blockOf(trace).score!.buffer);
    const elsewhere = fabricate({ interventions: [{ action: 'knock-out', expert: 'expert-0', scope: { layer: 1 } }] });
    expect(selectionScores(elsewhere, 0, 2)).toEqual(rawScores(elsewhere, 0, 2));
  });

  it('leave out a knocked-out expert and include a logit bias', () => {
    const interventions: Intervention[] = [
      { action: 'knock-out', expert: 'expert-0', scope: everywhere },
      { action: 'logit-bias', expert: 'expert-1', amount: 0.5, scope: { kind: 'q', token: 2 } },
    ];
    const trace = fabricate({ interventions });
    const raw = rawScores(trace, 0, 2);
    const scores = selectionScores(trace, 0, 2)!;
    expect(scores[0]).toBe(-Infinity);
    expect(scores[1]).toBeCloseTo(raw[1]! + 0.5);
    expect(scores[2]).toBe(raw[2]);
    expect(selectionScores(trace, 0, 1)![1]).toBe(rawScores(trace, 0, 1)[1]);
    expect(distribution(trace, 0, 2)![0]).toBe(0);
  });

  it('follow the later of two interventions', () => {
    const biased = (amount: number): Intervention => ({ action: 'logit-bias', expert: 'a', amount, scope: everywhere });
    const knockOut: Intervention = { action: 'knock-out', expert: 'a', scope: everywhere };
    const force = (expert: string): Intervention => ({ action: 'force', expert, scope: everywhere });
    expect(bias([biased(1), biased(2)])).toEqual([2, 0, 0, -1]);
    expect(bias([biased(1), knockOut])).toEqual([-Infinity, 0, 0, -1]);
    expect(bias([knockOut, biased(1)])).toEqual([1, 0, 0, -1]);
    expect(bias([force('a'), force('b')])).toEqual([0, 0, 0, 1]);
    expect(bias([force('a'), knockOut])).toEqual([-Infinity, 0, 0, -1]);
    expect(bias([knockOut, force('a')])).toEqual([0, 0, 0, 0]);
    expect(bias([force('b'), knockOut])).toEqual([-Infinity, 0, 0, 1]);
  });

  it('change only within the scope, and not for unknown experts', () => {
    const at = (scope: object): Intervention[] => [{ action: 'logit-bias', expert: 'b', amount: 1, scope }];
    expect(bias(at({ layer: 3, kind: 'q', module: module.path, token: 5 }), 5)).toEqual([0, 1, 0, -1]);
    expect(bias(at({ token: 5, sequence: 0 }), 5)).toEqual([0, 1, 0, -1]);
    for (const scope of [
      { layer: 2 },
      { kind: 'k' },
      { module: 'x' },
      { token: 4 },
      { stack: 'decoder' },
      { sequence: 1 },
      { token: 5, sequence: 1 },
    ]) {
      expect(bias(at(scope), 5)).toEqual([0, 0, 0, -1]);
    }
    expect(bias([{ action: 'force', expert: 'nobody', scope: everywhere }])).toEqual([0, 0, 0, -1]);
  });

  it('count tokens in the first sequence, if none is named', () => {
    const other = { ...module, sequence: 1 };
    const biased = (scope: object): Intervention[] => [{ action: 'logit-bias', expert: 'b', amount: 1, scope }];
    expect(whatIfAt(biased({ token: 5 }), experts, other)).toBeUndefined();
    expect(whatIfAt(biased({ token: 5, sequence: 1 }), experts, other)!.at(5).bias[1]).toBe(1);
    expect(whatIfAt(biased({}), experts, other)!.byToken).toBe(false);
  });

  it('change for the tokens in the ranges, and for no others', () => {
    const some = (scope: object, amount = 1): Intervention => ({ action: 'logit-bias', expert: 'b', amount, scope });
    const at = (list: Intervention[]) => {
      const found = whatIfAt(list, experts, module)!;
      expect(found.byToken).toBe(true);
      return Array.from({ length: 9 }, (_, t) => found.at(t).bias[1]);
    };
    const ranges = [
      [1, 3],
      [5, 6],
    ] as const;
    expect(at([some({ tokens: ranges })])).toEqual([0, 1, 1, 0, 0, 1, 0, 0, 0]);
    expect(at([some({ tokens: [[0, 100]] }), some({ tokens: ranges }, 2)])).toEqual([1, 2, 2, 1, 1, 2, 1, 1, 1]);
    expect(at([some({ tokens: ranges, token: 2 })])).toEqual([0, 0, 1, 0, 0, 0, 0, 0, 0]);
    expect(at([some({ tokens: ranges, token: 4 })])).toEqual(new Array(9).fill(0));
    expect(whatIfAt([some({ tokens: ranges })], experts, { ...module, sequence: 1 })).toBeUndefined();
  });

  it('equal those of a pass over all interventions, however these overlap', () => {
    const scope = fc.record(
      {
        token: fc.nat(9),
        tokens: fc.array(fc.tuple(fc.nat(9), fc.nat(9)), { maxLength: 4 }),
        layer: fc.constantFrom(3, 4),
      },
      { requiredKeys: [] },
    );
    const expert = fc.constantFrom('a', 'b', 'c', 'nobody');
    const intervention: fc.Arbitrary<Intervention> = fc.oneof(
      fc.record({ action: fc.constantFrom('knock-out' as const, 'force' as const), expert, scope }),
      fc.record({ action: fc.constant('logit-bias' as const), expert, amount: fc.integer({ min: -9, max: 9 }), scope }),
    );
    fc.assert(
      fc.property(fc.array(intervention, { maxLength: 8 }), fc.array(fc.nat(9), { minLength: 1 }), (list, visited) => {
        for (const t of visited) expect(bias(list, t)).toEqual(oneByOne(list, t));
      }),
    );
  });

  /** As docs/strategies.md defines them: one after another. */
  function oneByOne(list: readonly Intervention[], t: number): number[] {
    const bias = [0, 0, 0];
    let forced = -1;
    for (const { expert, scope, ...what } of list) {
      const e = experts.findIndex(({ id }) => id === expert);
      const isWithin = scope.tokens?.some(([from, to]) => from <= t && t < to) ?? true;
      if (e < 0 || (scope.layer ?? 3) !== 3 || (scope.token ?? t) !== t || !isWithin) continue;
      if (what.action === 'force') forced = e;
      else if (forced === e) forced = -1;
      bias[e] = what.action === 'knock-out' ? -Infinity : what.action === 'logit-bias' ? what.amount : 0;
    }
    return [...bias, forced];
  }

  it('are computed once for all sites that the interventions treat alike', () => {
    const list: Intervention[] = [
      { action: 'logit-bias', expert: 'b', amount: 1, scope: { kind: 'q', tokens: [[1, 3]] } },
    ];
    const at = (path: string, kind: string) => whatIfAt(list, experts, { ...module, path, kind });
    expect(at('one', 'q')).toBe(at('two', 'q'));
    expect(at('one', 'k')).toBeUndefined();
  });

  it('give no margin in a forced cell', () => {
    const trace = fabricate({ interventions: [{ action: 'force', expert: 'expert-4', scope: { layer: 0 } }] });
    expect(forcedAt(trace, 0, 0)).toBe(4);
    expect(certaintyAt(trace, 0, 1).margin).toBeNaN();
    expect(certaintyAt(trace, 7, 1).margin).toBeGreaterThan(0);
  });
});
