import { describe, expect, test } from 'vitest';
import { rowsAt } from '../../../src/trace/model/access.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { initial } from '../../../webview/store/state.js';
import { partners } from '../../../src/trace/alignment/align.js';
import { choiceChanges, haveChoicesInCommon } from '../../../src/trace/alignment/change.js';
import { logProbChanges } from '../../../src/trace/alignment/change.js';
import { changeRaster, differenceRaster, withAbsent } from '../../../webview/map/change.js';
import { byLines } from '../../../webview/map/lineRaster.js';
import { columnsOf, lineColumns } from '../../../webview/map/columns.js';
import { ends, signed } from '../../../webview/look/strings.js';
import { nothing, rowsOf, unknown } from '../../../webview/map/model.js';
import { blockOf, fabricate, fabricateIds, spelled, textOf, withBlock, withText } from '../trace/fabricate.js';

const layers = (trace: Trace) => rowsOf(trace, initial.filter, []);
const modules = (trace: Trace) => rowsOf(trace, initial.filter, 'all');

describe('choices in common', () => {
  const main = fabricate({ experts: 4 });
  const named = (trace: Trace, name: (id: string) => string): Trace => ({
    ...trace,
    expertSets: trace.expertSets.map((set) => ({
      ...set,
      experts: set.experts.map((expert) => ({ ...expert, id: name(expert.id) })),
    })),
  });
  test('need an expert that both runs have, in a module that both have', () => {
    const { id: first } = main.expertSets[0]!.experts[0]!;
    expect(haveChoicesInCommon(main, main)).toBe(true);
    expect(
      haveChoicesInCommon(
        main,
        named(main, (id) => (id === first ? id : `other ${id}`)),
      ),
    ).toBe(true);
    expect(
      haveChoicesInCommon(
        main,
        named(main, (id) => `other ${id}`),
      ),
    ).toBe(false);
    const elsewhere = main.modules.map((module) => ({ ...module, path: `other.${module.path}` }));
    expect(haveChoicesInCommon(main, { ...main, modules: elsewhere })).toBe(false);
  });

  test('by number alone need as many experts in the layer', () => {
    const local = (trace: Trace): Trace => ({
      ...trace,
      expertSets: trace.expertSets.map((set) => ({ ...set, scope: 'layer' })),
    });
    expect(haveChoicesInCommon(local(main), local(fabricate({ experts: 4, seed: 9 })))).toBe(true);
    expect(haveChoicesInCommon(local(main), local(fabricate({ experts: 8 })))).toBe(false);
  });
});

describe('difference', () => {
  test('is nothing between a run and itself, and 1 − |S ∩ S′| ÷ k with another', () => {
    const [main, other] = [fabricate(), fabricate({ seed: 8 })];
    const rows = modules(main);
    const same = differenceRaster(main, main, rows, columnsOf(main), partners(main, main));
    expect(new Set(same.strength)).toEqual(new Set([0]));
    const raster = differenceRaster(main, other, rows, columnsOf(main), partners(main, other));
    const [a, b] = [rowsAt(main, 2).chosen, rowsAt(other, 2).chosen];
    for (let t = 0; t < 16; t++) {
      const common = [0, 1].filter((i) => b.subarray(t * 2, t * 2 + 2).includes(a[t * 2 + i]!)).length;
      expect(raster.strength[2 * 16 + t]).toBeCloseTo(1 - common / 2, 6);
    }
  });

  test('is unknown for a token without a partner', () => {
    const main = spelled(['a', ' b', ' c']);
    const other = spelled(['a', ' c']);
    const raster = differenceRaster(main, other, layers(main), columnsOf(main), partners(main, other));
    expect([...raster.expert.subarray(0, 3)]).toEqual([0, unknown, 0]);
  });

  test('says which tokens the other text does not have, once it is whole', () => {
    const [main, other] = [spelled(['a', ' b', ' c']), spelled(['a', ' c'])];
    const [rows, columns] = [layers(main), columnsOf(main)];
    const seen = (there: Trace) => {
      const beside = partners(main, there);
      const shown = [
        differenceRaster(main, there, rows, columns, beside),
        changeRaster(logProbChanges(main, there, beside), rows, columns),
      ];
      return shown.map((one) => withAbsent(one, { here: main, there }, beside)).map(({ expert }) => [...expert]);
    };
    const [choices, predictions] = seen(other);
    expect(choices!.slice(0, 3)).toEqual([0, nothing, 0]);
    // A text's first token has no log-probability, though both have it.
    expect(predictions!.slice(0, 2)).toEqual([unknown, nothing]);
    for (const expert of seen(withText(other, { done: 1 }))) expect(expert).not.toContain(nothing);
    const back = partners(other, main);
    const turned = withAbsent(
      differenceRaster(main, other, rows, columns, partners(main, other)),
      { here: main, there: other },
      back,
      'other',
    );
    expect([...turned.expert.subarray(0, 3)]).toEqual([0, nothing, 0]);
  });

  test('by log-probability is the same in every row, for aligned tokens only', () => {
    const [main, other] = [spelled(['a', ' b', ' c', ' d']), spelled(['a', ' x', ' c', ' d'], 8)];
    const rows = modules(main);
    const raster = changeRaster(logProbChanges(main, other, partners(main, other)), rows, columnsOf(main));
    const [here, there] = [textOf(main).logProb!, textOf(other).logProb!];
    const columns = columnsOf(main).count;
    for (const t of [2, 3]) {
      const change = there[t]! - here[t]!;
      expect(raster.change![t]).toBeCloseTo(change, 5);
      for (const r of [0, rows.length - 1]) expect(raster.expert[r * columns + t]).toBe(change < 0 ? 0 : 1);
    }
    expect(raster.change![1]).toBeNaN();
    expect(raster.expert[1]).toBe(unknown);
    expect(Math.max(...raster.strength)).toBe(1);
  });

  test('by log-probability says where its scale cuts a change off', () => {
    const texts = Array.from({ length: 40 }, (_, i) => ` t${i}`);
    const main = withText(spelled(texts), { logProb: new Float32Array(40).fill(-2) });
    const other = withText(main, { logProb: Float32Array.from(texts, (_, t) => (t === 5 ? -9 : t % 2 ? -1 : -3)) });
    const [found] = logProbChanges(main, other, partners(main, other));
    expect(found).toMatchObject({ most: 1, isPast: [true, false] });
    const raster = changeRaster([found!], layers(main), columnsOf(main));
    expect(ends(raster.scale!, signed)).toEqual(['≤−1.00', '+1.00']);
    expect(byLines(raster, lineColumns(main)!).scale).toEqual(raster.scale);
  });

  test('compares experts by id, whatever their index', () => {
    const main = fabricate({ experts: 4 });
    const order = [2, 0, 3, 1];
    const { experts } = main.expertSets[0]!;
    const other: Trace = {
      ...withBlock(main, { chosen: blockOf(main).chosen.map((e) => (e < 0 ? e : order.indexOf(e))) }),
      expertSets: [{ scope: 'pool', experts: order.map((e) => experts[e]!) }],
    };
    const raster = differenceRaster(main, other, layers(main), columnsOf(main), partners(main, other));
    expect(new Set(raster.strength)).toEqual(new Set([0]));
  });
});

describe('the change of a token', () => {
  test('is the mean over all modules of what the map shows', () => {
    const [main, other] = [fabricate(), fabricate({ seed: 8 })];
    const beside = partners(main, other);
    const { strength } = differenceRaster(main, other, modules(main), columnsOf(main), beside);
    const [{ value, by }] = choiceChanges(main, other, beside) as [ReturnType<typeof choiceChanges>[number]];
    expect(by).toBe('choices');
    const rows = strength.length / value.length;
    for (const t of [0, 7, 15]) {
      let sum = 0;
      for (let r = 0; r < rows; r++) sum += strength[r * value.length + t]!;
      expect(value[t]).toBeCloseTo(sum / rows, 5);
    }
  });

  test('is unknown without a partner, or beyond what either run has done', () => {
    const [main, other] = [spelled(['a', ' b', ' c']), spelled(['a', ' c'])];
    expect(Array.from(choiceChanges(main, other, partners(main, other))[0]!.value, Number.isNaN)).toEqual([
      false,
      true,
      false,
    ]);
    const begun = fabricate({ done: 4 });
    const { value } = choiceChanges(begun, fabricate({ seed: 8 }), partners(begun, fabricate({ seed: 8 })))[0]!;
    expect(value[3]).not.toBeNaN();
    expect(value[4]).toBeNaN();
  });

  test('is given for each sequence', () => {
    const two = fabricateIds();
    expect(choiceChanges(two, two, partners(two, two)).map(({ value }) => value.length)).toEqual(
      two.sequences.map(({ tokens }) => tokens.count),
    );
  });
});
