/** Unrelated experts are never counted together: the types refuse it, and so does the one guard at run time. */
import { describe, expect, it } from 'vitest';
import { layersOf, rowsAt, sharedModules, type SharedModules, modulesOf } from '../../../src/trace/model/access.js';
import { certaintyByLayer } from '../../../src/trace/figures/distribution.js';
import { tokenLeaders, tokenShares } from '../../../src/trace/figures/leaders.js';
import { takingPart } from '../../../src/trace/model/selection.js';
import { vocabularySpecialisation } from '../../../src/trace/figures/specialisation.js';
import { chanceLoad, load } from '../../../src/statistics/load.js';
import { coactivation, usage, usageByLayer, usageIntervals } from '../../../src/trace/figures/usage.js';
import { blockOf, fabricate, fabricateIds, sharedOf } from './fabricate.js';

const ids = fabricateIds();

describe('what adds up expert by expert', () => {
  it('does not accept unchecked sites', () => {
    const some = modulesOf(ids);
    const forged = { modules: some, sequence: ids.sequences[0]!, set: ids.expertSets[0]!, experts: [] };
    // Never called: this tests the compiler.
    const refused = [
      // @ts-expect-error a filter's modules
      () => usage(ids, some),
      // @ts-expect-error a filter itself
      () => usage(ids, { layer: 2 }),
      // @ts-expect-error an object that only looks like shared modules
      () => usage(ids, forged),
      // @ts-expect-error possibly undefined
      () => tokenShares(ids, sharedModules(ids), 0),
      // @ts-expect-error a filter's modules
      () => tokenLeaders(ids, some),
      // @ts-expect-error a filter's modules
      () => coactivation(ids, some),
      // @ts-expect-error a filter's modules
      () => usageIntervals(ids, some),
      // @ts-expect-error traces without modules
      () => vocabularySpecialisation([ids]),
      // @ts-expect-error a filter's modules
      () => vocabularySpecialisation([{ trace: ids, modules: some }]),
    ];
    expect(refused).toHaveLength(9);
  });

  it('gets shared sites only if experts and tokens are the same', () => {
    const none: (SharedModules | undefined)[] = [
      sharedModules(ids),
      sharedModules(ids, { sequence: 0 }),
      sharedModules(ids, { kind: 'router' }),
      // Two stacks have a layer 3.
      sharedModules(ids, { layer: 3 }),
      // Dense layers have no modules.
      sharedModules(ids, { layer: 0 }),
    ];
    expect(none).toEqual([undefined, undefined, undefined, undefined, undefined]);
    expect([...sharedOf(ids, { stack: 'decoder', layer: 3 }).modules]).toEqual([5]);
    // A single list of names for all layers does not make their experts the same.
    const named = { ...ids, modules: ids.modules.map((module) => ({ ...module, expertSet: 0 })) };
    expect(sharedModules(named, { stack: 'encoder' })).toBeUndefined();
    expect([...sharedOf(named, { stack: 'encoder', layer: 3 }).modules]).toEqual([1]);
    const pool = fabricate();
    expect(sharedOf(pool).modules.length).toBe(14);
    // A pool with modules over two sequences.
    const [first, ...rest] = pool.modules;
    expect(sharedModules({ ...pool, modules: [{ ...first!, sequence: 1 }, ...rest] })).toBeUndefined();
  });

  it('refuses runs with different experts', () => {
    const run = (layer: number) => ({ trace: ids, modules: sharedOf(ids, { stack: 'encoder', layer }) });
    expect(() => vocabularySpecialisation([run(2), run(3)])).toThrow(/different experts/);
    expect(vocabularySpecialisation([run(2), run(2)])).toMatchObject({
      meanChance: new Float64Array(256).fill(8 / 256),
    });
  });
});

describe('with ids only', () => {
  const layer = sharedOf(ids, { stack: 'decoder', layer: 3 });

  it('a layer has usage and its chance, but no weights', () => {
    const u = usage(ids, layer);
    // The last token passed through no router: that is neither a choice nor a cell.
    expect(u).toMatchObject({ tokens: 4, cells: 3, choices: 24 });
    expect(u.weightShare).toBeUndefined();
    expect(u.chance.every((x) => Math.abs(x - 1 / 256) < 1e-12)).toBe(true);
    expect(load(u.share).dead.length).toBe(256 - u.counts.filter((n) => n > 0).length);
    expect(chanceLoad(u).dead).toBeCloseTo(256 * (1 - 8 / 256) ** 3);
    expect(usageByLayer(ids, { sequence: 1 }).map((x) => x!.choices)).toEqual([24, 24, 24, 24]);
  });

  it('layers of two stacks are counted separately', () => {
    expect(layersOf(ids)).toEqual([
      ...[2, 3, 4, 5].map((l) => ({ stack: 'encoder', layer: l })),
      ...[2, 3, 4, 5].map((l) => ({ stack: 'decoder', layer: l })),
    ]);
    expect(usageByLayer(ids).map((x) => x!.choices)).toEqual([48, 48, 48, 48, 24, 24, 24, 24]);
    // Without a stack, a layer's number means that layer of any stack.
    expect(usageByLayer(ids, { stack: 'encoder' })).toHaveLength(4);
  });

  it('leaders depend on choices; a token that passed through no router has none', () => {
    const { expert, share } = tokenLeaders(ids, layer);
    expect([...share]).toEqual([1 / 8, 1 / 8, 1 / 8, 0]);
    const lowest = [...rowsAt(ids, layer.modules[0]!).chosen.subarray(0, 8)].sort((a, b) => a - b)[0];
    expect(expert[0]).toBe(lowest);
    expect(expert[3]).toBe(-1);
    expect(usageIntervals(ids, layer)).toHaveLength(256);
    expect(coactivation(ids, layer).chance).toBeCloseTo(7 / 255);
  });

  it('there is no certainty of the router', () => {
    expect([...certaintyByLayer(ids).entropy].every(Number.isNaN)).toBe(true);
    expect(takingPart(rowsAt(ids, 0))).toEqual(new Uint8Array(256).fill(1));
  });

  it('a vocabulary is counted and shown by ids', () => {
    const words = vocabularySpecialisation([{ trace: ids, modules: layer }], 1);
    expect(words.text).toEqual(['#200', '#201', '#202', '#203']);
    expect([...words.ids!]).toEqual([200, 201, 202, 203]);
    expect(words.chance[0]).toBeCloseTo(8 / 256);
  });
});

describe('sites of different N and k', () => {
  /** Two layers with their own experts: one chooses 1 of 4, the other 2 of 8. */
  const trace = () => {
    const base = fabricate({ layers: 2, kinds: ['router'], experts: 8, k: 2, tokens: ['a', 'b'] });
    const [wide] = base.expertSets;
    const block = blockOf(base);
    return {
      ...base,
      expertSets: [
        { scope: 'layer', experts: wide!.experts.slice(0, 4) },
        { ...wide!, scope: 'layer' },
      ],
      modules: base.modules.map((module, s) => ({ ...module, expertSet: s })),
      blocks: [
        {
          from: 0,
          to: 1,
          sequence: 0,
          experts: 4,
          k: 1,
          sharedExperts: 0,
          chosen: Int16Array.of(3, 0),
          score: Float32Array.of(0, 1, 2, 4, 4, 2, 1, 0),
        },
        {
          ...block,
          from: 1,
          to: 2,
          chosen: block.chosen.slice(4),
          weight: block.weight!.slice(4),
          score: block.score!.slice(16),
        },
      ],
    } as const;
  };

  it('each have their own chance and margin', () => {
    const t = trace();
    const [one, two] = usageByLayer(t);
    expect(one!.chance[0]).toBeCloseTo(1 / 4);
    expect(two!.chance[0]).toBeCloseTo(1 / 8);
    // The router's k is 2, but this layer chooses one: 4 − 2.
    expect(certaintyByLayer(t).margin[0]).toBe(2);
    expect(sharedModules(t)).toBeUndefined();
  });
});
