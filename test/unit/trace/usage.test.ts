import { describe, expect, it } from 'vitest';
import { type BootstrapOptions, bootstrapRatios } from '../../../src/statistics/bootstrap.js';
import { chanceLoadOf } from '../../../src/statistics/load.js';
import { pairsOf } from '../../../src/statistics/pairs.js';
import { random } from '../../../src/statistics/random.js';
import { rowsAt, sharedModules, type ModuleFilter } from '../../../src/trace/model/access.js';
import { contrast } from '../../../src/trace/figures/contrast.js';
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

/** Two modules whose 400 equal tokens draw evenly among the experts that are left. @param out who is knocked out, and where */
function evenly({
  experts,
  k,
  out,
  also = out.expert,
}: {
  readonly experts: number;
  readonly k: number;
  readonly out: { readonly expert: number; readonly layers: readonly number[] };
  readonly also?: number;
}): Trace {
  const trace = fabricate({ layers: 2, kinds: ['q'], experts, k, tokens: Array<string>(400).fill('a') });
  const next = random(3);
  const rest = [...Array(experts).keys()].filter((e) => e !== out.expert && e !== also);
  const { chosen } = blockOf(trace);
  for (let cell = 0; cell < 800; cell++) {
    const open = out.layers.includes(Math.floor(cell / 400)) ? rest : [...Array(experts).keys()];
    const drawn = new Set<number>();
    while (drawn.size < k) drawn.add(open[Math.floor(next() * open.length)]!);
    chosen.set([...drawn], cell * k);
  }
  return {
    ...trace,
    interventions: out.layers.flatMap((layer) =>
      [...new Set([out.expert, also])].map(
        (e) => ({ action: 'knock-out', expert: `expert-${e}`, scope: { layer } }) as const,
      ),
    ),
  };
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

  it('leaves nothing to chance where an expert is asked for everywhere, as where it is forced', () => {
    const router = { name: 'single', scoring: 'softmax', params: { expert: 'expert-1' } } as const;
    const asked = { ...fabricate({ experts: 3, k: 1, router }), interventions: [] };
    blockOf(asked).chosen.fill(1);
    const forced: Trace = {
      ...asked,
      router: { name: 'phatgoose', k: 1, scoring: 'softmax' },
      interventions: [{ action: 'force', expert: 'expert-1', scope: {} }],
    };
    expect(usageOf(asked)).toEqual(usageOf(forced));
    expect([...usageOf(asked).chance]).toEqual([0, 1, 0]);
    for (const trace of [asked, forced])
      expect(intervalsOf(trace)).toEqual(Array.from({ length: 3 }, () => ({ low: NaN, high: NaN })));
    const { changeIntervals } = contrast(asked, sharedOf(asked), [[1, 4]]);
    expect(changeIntervals).toEqual(intervalsOf(asked));
  });

  it('takes the one choice of a whole text for one draw, whose share has no interval', () => {
    const router = { name: 'retrieval', scoring: 'softmax', params: { expert: 'expert-1' } } as const;
    const trace = fabricate({ experts: 4, k: 1, router });
    blockOf(trace).chosen.fill(1);
    const u = usageOf(trace);
    expect([...u.chance]).toEqual(Array(4).fill(expect.closeTo(1 / 4)));
    expect(intervalsOf(trace)[1]).toEqual({ low: NaN, high: NaN });
    expect(intervalsOf(trace)[0]).toEqual({ low: NaN, high: NaN });
    // One draw is as uneven as can be, whatever it gives.
    const drawn = chanceLoadOf(u);
    expect([drawn.effective, drawn.entropyRatio, drawn.cv, drawn.dead]).toEqual(
      [1, 0, Math.sqrt(3), 3].map((x) => expect.closeTo(x) as number),
    );
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
    // 10 of the 11 choices are one of two, so the other is drawn from two.
    expect(chance).toBeCloseTo(10 / 11 / 2);
  });

  it('by chance is among the experts that could be chosen: as evenly drawn sets show', () => {
    const trace = evenly({ experts: 6, k: 3, out: { expert: 5, layers: [0, 1] } });
    const { share, chance } = coactivation(trace, sharedOf(trace));
    const others = (of: readonly number[]) =>
      of.flatMap((a) => of.flatMap((b) => (a === b ? [] : [share[a * 6 + b]!])));
    expect(chance).toBeCloseTo(2 / 4);
    for (const x of others([0, 1, 2, 3, 4])) expect(Math.abs(x - chance)).toBeLessThan(0.1);
  });

  it('is as often as independent choices where two experts are out at the same half of the cells', () => {
    const trace = evenly({ experts: 6, k: 2, out: { expert: 5, layers: [0] }, also: 4 });
    const found = pairsOf(coactivation(trace, sharedOf(trace))).find(({ a, b }) => a === 4 && b === 5)!;
    const cells = 2 * 400;
    // At the other half each is drawn at a third of the cells.
    expect(found.expected / ((cells / 2) * (1 / 3) ** 2)).toBeCloseTo(1, 0);
    expect(found.expected).toBeGreaterThan(1.6 * (cells * (1 / 6) ** 2));
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

  it('is beside chance among the experts that could be chosen: even draws attract nothing', () => {
    const k = 1;
    const trace = evenly({ experts: 3, k, out: { expert: 2, layers: [0, 1] } });
    const words = vocabularySpecialisation([run(trace)]);
    expect([...words.meanChance]).toEqual([0.5, 0.5, 0]);
    expect(mostAttracted(words, 2)).toEqual([]);
    // Both experts get about half of the one token, which is above a third but not above chance for both.
    expect(mostAttracted(words, 0).length + mostAttracted(words, 1).length).toBeLessThan(2);
    const part = evenly({ experts: 3, k, out: { expert: 2, layers: [0] } });
    const mean = vocabularySpecialisation([run(part)]).meanChance;
    expect([...mean]).toEqual([5 / 12, 5 / 12, 1 / 6].map((x) => expect.closeTo(x) as number));
  });

  it('has a chance of its own for a token at which an expert is out', () => {
    const trace = small();
    const out = { action: 'knock-out', expert: 'expert-2', scope: { tokens: [[1, 2]] } } as const;
    const words = vocabularySpecialisation([run({ ...trace, interventions: [out] })], 1);
    const at = (text: string) => words.text.indexOf(text) * 3;
    // “a” is token 1, where one of two is left out of three, and token 3; k is 2.
    expect([...words.chance.subarray(at('a'), at('a') + 3)]).toEqual(
      [5 / 6, 5 / 6, 1 / 3].map((x) => expect.closeTo(x) as number),
    );
    expect([...words.chance.subarray(at('b'), at('b') + 3)]).toEqual(Array(3).fill(expect.closeTo(1 / 2)));
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
