import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { affinitiesAt, layersOf, textTokens } from '../../../src/trace/access.js';
import {
  certainty,
  certaintyAt,
  certaintyByToken,
  distribution,
  entropyByLayer,
  softmax,
} from '../../../src/trace/distribution.js';
import { biasAt, forcedAt, selectionScores } from '../../../src/trace/selection.js';
import type { Intervention } from '../../../src/trace/trace.js';
import { fabricate } from './fabricate.js';

/** By the definition, slowly. */
function naive(scores: readonly number[], k: number) {
  const usable = scores.filter((a) => a > -Infinity).sort((a, b) => b - a);
  const z = usable.reduce((sum, a) => sum + Math.exp(a), 0);
  const p = usable.map((a) => Math.exp(a) / z);
  const h = -p.reduce((sum, x) => sum + (x > 0 ? x * Math.log(x) : 0), 0);
  return {
    entropy: usable.length > 1 ? h / Math.log(usable.length) : usable.length === 1 ? 0 : NaN,
    margin: usable.length > k ? usable[k - 1]! - usable[k]! : NaN,
    mass: usable.length > 0 ? p.slice(0, k).reduce((sum, x) => sum + x, 0) : NaN,
  };
}

describe('how decided the router was', () => {
  it('is what the definitions say', () => {
    const score = fc.oneof(
      { weight: 8, arbitrary: fc.float({ min: -30, max: 30, noNaN: true }) },
      fc.constantFrom(NaN, -Infinity),
    );
    fc.assert(
      fc.property(fc.array(score, { maxLength: 12 }), fc.integer({ min: 1, max: 4 }), (scores, k) => {
        const got = certainty(Float32Array.from(scores), k);
        const want = naive(scores, k);
        for (const key of ['entropy', 'margin', 'mass'] as const) {
          expect(Number.isNaN(got[key])).toBe(Number.isNaN(want[key]));
          if (!Number.isNaN(want[key])) expect(got[key]).toBeCloseTo(want[key], 5);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('is even for equal scores and sure for one', () => {
    expect(certainty(Float32Array.of(2, 2, 2, 2), 2)).toEqual({
      entropy: expect.closeTo(1) as number,
      margin: 0,
      mass: 0.5,
    });
    expect(certainty(Float32Array.of(NaN, 3), 2)).toEqual({ entropy: 0, margin: NaN, mass: 1 });
    expect(certainty(Float32Array.of(NaN, -Infinity), 2)).toEqual({ entropy: NaN, margin: NaN, mass: NaN });
  });

  it('survives scores that overflow exp', () => {
    expect([...softmax(Float32Array.of(1000, 1000, -1000))]).toEqual([0.5, 0.5, 0]);
    expect([...softmax(Float32Array.of(NaN, -Infinity))]).toEqual([0, 0]);
  });

  it('has no margin under fixed weights, nor anything without affinities', () => {
    const fixed = fabricate({ strategy: { name: 'merged' } });
    expect(certaintyAt(fixed, 0, 1).margin).toBeNaN();
    expect(certaintyAt(fixed, 0, 1).entropy).toBeGreaterThan(0);
    expect(certaintyAt(fabricate({ bare: true }), 0, 1).entropy).toBeNaN();
    expect(distribution(fabricate({ bare: true }), 0, 1)).toBeUndefined();
  });

  it('is averaged over modules and tokens, special and coming tokens left out', () => {
    const trace = fabricate({ layers: 2, kinds: ['q', 'k'], tokens: ['<|s|>', 'a', 'b', 'c'], done: 3 });
    const byToken = certaintyByToken(trace);
    expect(byToken.entropy[1]).toBeCloseTo(
      [0, 1, 2, 3].reduce((sum, m) => sum + certaintyAt(trace, m, 1).entropy, 0) / 4,
    );
    expect(byToken.entropy[3]).toBeNaN();
    const layer1 = [2, 3].flatMap((m) => [1, 2].map((t) => certaintyAt(trace, m, t).entropy));
    expect(entropyByLayer(trace)[1]).toBeCloseTo(layer1.reduce((a, b) => a + b) / 4);
    expect(layersOf(trace)).toEqual([0, 1]);
    expect([...textTokens(trace)]).toEqual([1, 2]);
  });
});

describe('what the router saw under interventions', () => {
  const experts = [{ id: 'a' }, { id: 'b' }, { id: 'c' }];
  const module = { path: 'model.layers.3.q', layer: 3, kind: 'q' };
  const everywhere = {};
  const bias = (interventions: Intervention[], t = 0) => {
    const { bias, forced } = biasAt(interventions, experts, module, t);
    return [...bias, forced];
  };

  it('is the raw score where nothing intervenes, without a copy', () => {
    const trace = fabricate();
    expect(selectionScores(trace, 3, 2)!.buffer).toBe(trace.affinity!.buffer);
    const elsewhere = fabricate({ interventions: [{ action: 'knock-out', expert: 'expert-0', scope: { layer: 1 } }] });
    expect(selectionScores(elsewhere, 0, 2)).toEqual(affinitiesAt(elsewhere, 0, 2));
  });

  it('takes out the one knocked out and adds a tilt', () => {
    const interventions: Intervention[] = [
      { action: 'knock-out', expert: 'expert-0', scope: everywhere },
      { action: 'tilt', expert: 'expert-1', amount: 0.5, scope: { kind: 'q', token: 2 } },
    ];
    const trace = fabricate({ interventions });
    const raw = affinitiesAt(trace, 0, 2)!;
    const scores = selectionScores(trace, 0, 2)!;
    expect(scores[0]).toBe(-Infinity);
    expect(scores[1]).toBeCloseTo(raw[1]! + 0.5);
    expect(scores[2]).toBe(raw[2]);
    expect(selectionScores(trace, 0, 1)![1]).toBe(affinitiesAt(trace, 0, 1)![1]);
    expect(distribution(trace, 0, 2)![0]).toBe(0);
  });

  it('lets the later of two win', () => {
    const tilt = (amount: number): Intervention => ({ action: 'tilt', expert: 'a', amount, scope: everywhere });
    const knockOut: Intervention = { action: 'knock-out', expert: 'a', scope: everywhere };
    const force = (expert: string): Intervention => ({ action: 'force', expert, scope: everywhere });
    expect(bias([tilt(1), tilt(2)])).toEqual([2, 0, 0, -1]);
    expect(bias([tilt(1), knockOut])).toEqual([-Infinity, 0, 0, -1]);
    expect(bias([knockOut, tilt(1)])).toEqual([1, 0, 0, -1]);
    expect(bias([force('a'), force('b')])).toEqual([0, 0, 0, 1]);
    expect(bias([force('a'), knockOut])).toEqual([-Infinity, 0, 0, -1]);
    expect(bias([knockOut, force('a')])).toEqual([0, 0, 0, 0]);
    expect(bias([force('b'), knockOut])).toEqual([-Infinity, 0, 0, 1]);
  });

  it('holds only in its scope, and ignores experts that are not there', () => {
    const at = (scope: object): Intervention[] => [{ action: 'tilt', expert: 'b', amount: 1, scope }];
    expect(bias(at({ layer: 3, kind: 'q', module: module.path, token: 5 }), 5)).toEqual([0, 1, 0, -1]);
    for (const scope of [{ layer: 2 }, { kind: 'k' }, { module: 'x' }, { token: 4 }]) {
      expect(bias(at(scope), 5)).toEqual([0, 0, 0, -1]);
    }
    expect(bias([{ action: 'force', expert: 'nobody', scope: everywhere }])).toEqual([0, 0, 0, -1]);
  });

  it('leaves a forced cell without a margin', () => {
    const trace = fabricate({ interventions: [{ action: 'force', expert: 'expert-4', scope: { layer: 0 } }] });
    expect(forcedAt(trace, 0, 0)).toBe(4);
    expect(certaintyAt(trace, 0, 1).margin).toBeNaN();
    expect(certaintyAt(trace, 7, 1).margin).toBeGreaterThan(0);
  });
});
