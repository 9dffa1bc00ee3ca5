import { describe, expect, it } from 'vitest';
import { type BootstrapOptions, bootstrapRatios } from '../../../src/statistics/bootstrap.js';
import { random } from '../../../src/statistics/random.js';
import { rowsAt, sharedModules, type ModuleFilter } from '../../../src/trace/model/access.js';
import { ranked, tokenLeaders, tokenShares } from '../../../src/trace/figures/leaders.js';
import { leaderAt, type Measure, measureOf } from '../../../src/trace/figures/measure.js';
import { mostAttracted, vocabularySpecialisation } from '../../../src/trace/figures/specialisation.js';
import type { Scope, Trace } from '../../../src/trace/model/trace.js';
import {
  coactivation,
  isSmallSample,
  knockedOut,
  usage,
  usageByLayer,
  usageIntervals,
} from '../../../src/trace/figures/usage.js';
import { blockOf, fabricate, sharedOf, without, withText } from './fabricate.js';

const usageOf = (trace: Trace, filter: ModuleFilter = {}, tokens?: readonly number[]) =>
  usage(trace, sharedOf(trace, filter), tokens);
const intervalsOf = (trace: Trace) => usageIntervals(trace, sharedOf(trace));
const leadersOf = (trace: Trace, by?: Measure) => tokenLeaders(trace, sharedOf(trace), by);
const sharesOf = (trace: Trace, t: number, filter: ModuleFilter = {}) => tokenShares(trace, sharedOf(trace, filter), t);
const run = (trace: Trace) => ({ trace, modules: sharedOf(trace) });

/** Two modules, tokens `<s>` (special), a, b, a; three experts, k 2. Rows by module, then token; [expert, weight] pairs. */
function small(): Trace {
  const trace = fabricate({ layers: 2, kinds: ['q'], experts: 3, tokens: ['<|s|>', 'a', 'b', 'a'] });
  // prettier-ignore
  blockOf(trace).chosen.set([
    2, 1, /**/ 0, 1, /**/ 1, 0, /**/ 0, 1,
    2, 1, /**/ 0, 2, /**/ 1, -1, /**/ 0, 1,
  ]);
  // prettier-ignore
  blockOf(trace).weight!.set([
    1, 0, /**/ 0.75, 0.25, /**/ 0.5, 0.5, /**/ 0.75, 0.25,
    1, 0, /**/ 0.75, 0.25, /**/ 1, 0, /**/ 0.75, 0.25,
  ]);
  return trace;
}

describe('usage', () => {
  it('counts choices of text tokens only', () => {
    const u = usageOf(small());
    expect([...u.counts]).toEqual([5, 5, 1]);
    expect(u).toMatchObject({ tokens: 3, cells: 6, choices: 11 });
    expect([...u.share]).toEqual([5 / 11, 5 / 11, 1 / 11]);
    expect([...u.chance]).toEqual([1 / 3, 1 / 3, 1 / 3].map((x) => expect.closeTo(x) as number));
    expect(u.weightShare![0]).toBeCloseTo((0.75 * 4 + 0.5) / 6);
  });

  it('leaves out tokens not routed yet', () => {
    expect(usageOf(withText(small(), { done: 2 }))).toMatchObject({ tokens: 1, cells: 2, choices: 4 });
    expect([...usageOf(withText(small(), { done: 0 })).share]).toEqual([0, 0, 0]);
  });

  it('leaves an expert without a gate out of chance', () => {
    const trace = small();
    for (let t = 0; t < 4; t++) blockOf(trace).score![t * 3 + 2] = NaN; // expert 2 has no gate at module 0
    expect([...usageOf(trace, { layer: 0 }).chance]).toEqual([0.5, 0.5, 0]);
    expect(usageOf(trace).chance[2]).toBeCloseTo(5 / 3 / 11);
  });

  it('leaves a knocked-out expert out of chance at the cells where it is out', () => {
    const knockedOut = (scope: Scope) =>
      usageOf({ ...small(), interventions: [{ action: 'knock-out', expert: 'expert-2', scope }] });
    // 11 choices; expert 2 was chosen once, so a scope without it must not count that cell.
    expect([...knockedOut({}).chance]).toEqual([0.5, 0.5, 0]);
    expect([...knockedOut({ layer: 0 }).chance]).toEqual(
      [6 / 2 + 5 / 3, 6 / 2 + 5 / 3, 5 / 3].map((x) => expect.closeTo(x / 11) as number),
    );
    expect([...knockedOut({ layer: 0, tokens: [[1, 3]] }).chance]).toEqual(
      [4 / 2 + 7 / 3, 4 / 2 + 7 / 3, 7 / 3].map((x) => expect.closeTo(x / 11) as number),
    );
    // A forced expert is drawn for certain.
    const forced = usageOf({
      ...small(),
      interventions: [{ action: 'force', expert: 'expert-0', scope: { layer: 0 } }],
    });
    expect(forced.chance[0]).toBeCloseTo((3 + 5 / 3) / 11);
    expect(forced.chance[1]).toBeCloseTo((1.5 + 5 / 3) / 11);
  });

  it('gives an expert that could not be chosen no interval, and one never chosen as wide a one as so many tokens leave', () => {
    const trace = small();
    blockOf(trace).chosen.forEach((e, i, all) => e === 2 && (all[i] = 0));
    expect(intervalsOf(trace)[2]).toEqual({ low: 0, high: expect.closeTo(1 - 0.025 ** (1 / 3)) as number });
    const out = { ...trace, interventions: [{ action: 'knock-out', expert: 'expert-2', scope: {} } as const] };
    expect(intervalsOf(out)[2]).toEqual({ low: NaN, high: NaN });
    expect(intervalsOf(out)[0]).toEqual(intervalsOf(trace)[0]);
    expect(knockedOut(out, sharedOf(out), usageOf(out))).toEqual([undefined, undefined, 'all']);
    const inLayer = { ...out, interventions: [{ ...out.interventions[0]!, scope: { layer: 1 } }] };
    expect(knockedOut(inLayer, sharedOf(inLayer), usageOf(inLayer))[2]).toBe('part');
  });

  it('splits by layer', () => {
    expect(usageByLayer(small()).map((u) => [...u!.counts])).toEqual([
      [3, 3, 0],
      [2, 2, 1],
    ]);
    expect([...usageOf(small(), { layer: 1 }, [2]).counts]).toEqual([0, 1, 0]);
    expect(sharedModules(small(), { kind: 'nothing' })).toBeUndefined();
  });

  it('has an interval that contains the share and narrows with more tokens', () => {
    const width = (tokens: number) => {
      const trace = fabricate({ layers: 1, kinds: ['q'], tokens: Array.from({ length: tokens }, (_, i) => `t${i}`) });
      const share = usageOf(trace).share[0]!;
      const { low, high } = intervalsOf(trace)[0]!;
      expect(low <= share && share <= high).toBe(true);
      return high - low;
    };
    expect(width(400)).toBeLessThan(width(25) / 2);
    expect(intervalsOf(small())).toEqual(intervalsOf(small()));
    expect(isSmallSample(29)).toBe(true);
    expect(isSmallSample(30)).toBe(false);
  });
});

describe('co-activation', () => {
  it('counts all pairs of a cell, in both directions', () => {
    const { share, counts, chance } = coactivation(small(), sharedOf(small()));
    expect([...counts]).toEqual([5, 4, 1, 4, 5, 0, 1, 0, 1]);
    expect([...share]).toEqual([1, 0.8, 0.2, 0.8, 1, 0, 1, 0, 1]);
    expect(chance).toBeCloseTo((11 / 6 - 1) / 2);
  });

  it('is NaN for an expert that was never chosen', () => {
    expect(coactivation(small(), sharedOf(small(), { layer: 0 })).share[6]).toBeNaN();
  });
});

describe('specialisation', () => {
  it('of a token needs a minimum count', () => {
    const words = vocabularySpecialisation([run(small())], 2);
    expect(words.text).toEqual(['a']);
    expect([...words.count]).toEqual([2]);
    expect([...words.share]).toEqual([1, 0.75, 0.25]);
    expect(vocabularySpecialisation([run(small())]).ids!.length).toBe(0);
    expect(vocabularySpecialisation([run(small()), run(small())]).text).toEqual(['a']);
  });

  it('lists the tokens that choose an expert most, above chance only', () => {
    const words = vocabularySpecialisation([run(small())], 1);
    expect(mostAttracted(words, 1).map((w) => w.text)).toEqual(['b', 'a']);
    expect(mostAttracted(words, 2)).toEqual([]);
    expect(mostAttracted(words, 0)).toMatchObject([{ text: 'a', count: 2, share: 1 }]);
  });
});

describe('the leading expert', () => {
  it('of a token has the largest share of its weight', () => {
    const { expert, share } = leadersOf(small());
    expect([...expert]).toEqual([2, 0, 1, 0]);
    expect(share[1]).toBeCloseTo(0.75);
    expect([...sharesOf(small(), 2)].map((x) => expect.closeTo(x) as number)).toEqual([0.25, 0.75, 0]);
    expect([...sharesOf(small(), 2, { layer: 1 })]).toEqual([0, 1, 0]);
    expect(ranked(sharesOf(small(), 2))).toEqual([1, 0]);
  });

  it('is by contribution when asked, by weight if there are no contributions', () => {
    const trace = small();
    blockOf(trace).contribution!.fill(0);
    blockOf(trace).contribution![3] = 0.3; // module 0, token 1, its second choice: expert 1
    expect(leadersOf(trace, 'contribution').expert[1]).toBe(1);
    expect(leaderAt(rowsAt(trace, 0), 1, 'contribution')).toBe(1);
    expect(leaderAt(rowsAt(trace, 0), 1)).toBe(0);
    expect(leadersOf(without(trace, 'contribution'), 'contribution').expert[1]).toBe(0);
  });

  it('is by choices if a source gave no weights, and says so', () => {
    const trace = without(without(small(), 'weight'), 'contribution');
    const { modules } = sharedOf(trace);
    expect(measureOf(trace, modules, 'contribution')).toBe('choice');
    expect(measureOf(small(), modules, 'contribution')).toBe('contribution');
    expect(measureOf(without(small(), 'contribution'), modules, 'contribution')).toBe('weight');
    // Token 2: expert 1 twice, expert 0 once.
    expect([...sharesOf(trace, 2)]).toEqual([1 / 3, 2 / 3, 0].map((x) => expect.closeTo(x) as number));
    expect(usageOf(trace).weightShare).toBeUndefined();
    expect([...usageOf(trace).share]).toEqual([...usageOf(small()).share]);
    expect(leaderAt(rowsAt(trace, 0), 1)).toBe(0);
  });

  it('is none if no expert was applied or nothing is routed yet', () => {
    const base = fabricate({ router: { name: 'base' } });
    blockOf(base).chosen.fill(-1);
    blockOf(base).weight!.fill(0);
    expect([...leadersOf(base).expert]).toEqual(Array(16).fill(-1));
    expect(leaderAt(rowsAt(base, 0), 0)).toBe(-1);
    expect([...leadersOf(withText(small(), { done: 2 })).expert]).toEqual([2, 0, -1, -1]);
    expect([...sharesOf(withText(small(), { done: 2 }), 3)]).toEqual([0, 0, 0]);
  });

  it('is the lower index in a tie', () => {
    const trace = small();
    blockOf(trace).weight!.fill(0.5);
    expect(leadersOf(trace).expert[3]).toBe(0);
  });

  it('is none if all experts have the same share', () => {
    const trace = fabricate({ experts: 3, k: 3 });
    blockOf(trace).weight!.fill(1 / 3);
    expect(new Set(leadersOf(trace).expert)).toEqual(new Set([-1]));
    expect(new Set(leadersOf(trace).share)).toEqual(new Set([0]));
    expect(leaderAt(rowsAt(trace, 0), 0)).toBe(-1);
    blockOf(trace).weight![0] = 0.5;
    expect(leaderAt(rowsAt(trace, 0), 0)).toBe(blockOf(trace).chosen[0]);
    expect(leadersOf(trace).expert[0]).toBe(blockOf(trace).chosen[0]);
  });
});

describe('the bootstrap', () => {
  const ofMean = (values: readonly number[], options?: BootstrapOptions) =>
    bootstrapRatios(values, new Uint8Array(values.length).fill(1), 1, options)[0]!;

  it('covers the true mean about as often as it says', () => {
    const next = random(11);
    let covered = 0;
    for (let r = 0; r < 200; r++) {
      const { low, high } = ofMean(Array.from({ length: 60 }, next), { resamples: 200, seed: r });
      if (low <= 0.5 && 0.5 <= high) covered++;
    }
    expect(covered / 200).toBeGreaterThan(0.89);
    expect(covered / 200).toBeLessThan(0.99);
  });

  it('gives NaN for an empty sample', () => {
    expect(ofMean([])).toEqual({ low: NaN, high: NaN });
  });
});
