import { describe, expect, test } from 'vitest';
import { rowsAt, sharedModules } from '../../../src/trace/model/access.js';
import { quantile } from '../../../src/statistics/quantile.js';
import { scaled } from '../../../src/trace/figures/colouring.js';
import { certaintyAt } from '../../../src/trace/figures/distribution.js';
import { tokenLeaders } from '../../../src/trace/figures/leaders.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { initial } from '../../../webview/store/state.js';
import { windowAt } from '../../../webview/map/cells.js';
import { columnOf, columnsOf, lineColumns, onToken, tokenAt } from '../../../webview/map/columns.js';
import { byLines } from '../../../webview/map/lineRaster.js';
import { wasAt } from '../../../webview/map/was.js';
import {
  cellAt,
  choicesAt,
  hidden,
  measureRaster,
  nothing,
  rasterOf,
  rowAt,
  rowsOf,
  spread,
  unknown,
} from '../../../webview/map/model.js';
import { blockOf, fabricate, fabricateIds, textOf, withBlock, without } from '../trace/fabricate.js';

const { filter } = initial;
const layers = (trace: Trace) => rowsOf(trace, filter, []);
const modules = (trace: Trace) => rowsOf(trace, filter, 'all');
const draw = (trace: Trace, rows = layers(trace), own = filter, before?: Trace) =>
  rasterOf(trace, rows, columnsOf(trace), own, trace.expertSets[0], before);

describe('columns', () => {
  test('with one text, are one per token', () => {
    const columns = columnsOf(fabricate());
    expect(columns.count).toBe(16);
    expect(tokenAt(columns, 15)).toEqual({ sequence: 0, token: 15, end: 16 });
    expect(columnOf(columns, 0, 16)).toBe(-1);
  });

  test('with two texts, have a gap in which no key stops', () => {
    const columns = columnsOf(fabricateIds());
    expect(columns.count).toBe(6 + 2 + 4);
    expect(tokenAt(columns, 6)).toBeUndefined();
    expect(tokenAt(columns, 8)).toEqual({ sequence: 1, token: 0, end: 1 });
    expect(columnOf(columns, 1, 3)).toBe(11);
    expect(onToken(columns, 6, 5)).toBe(8);
    expect(onToken(columns, 7, 8)).toBe(5);
    expect([onToken(columns, -4, 0), onToken(columns, 99, 3)]).toEqual([0, 11]);
  });
});

describe('rows', () => {
  test('are a layer, or its modules if it is open', () => {
    const trace = fabricate({ layers: 3 });
    expect(layers(trace).map(({ layer, module }) => [layer, module])).toEqual([
      [0, -1],
      [1, -1],
      [2, -1],
    ]);
    const rows = rowsOf(trace, filter, ['1']);
    expect(rows).toHaveLength(2 + 7);
    expect(rows[1]).toMatchObject({ layer: 1, module: 7, kind: 'q' });
    expect(rowAt(rows, '1', 8)).toBe(2);
    expect(rowAt(rows, '2', 15)).toBe(8);
    expect(rowAt(rows, '', -1)).toBe(-1);
  });

  test('are the filter’s layers and kinds', () => {
    const trace = fabricate({ layers: 4 });
    const rows = rowsOf(trace, { ...filter, layers: [1, 2], kinds: ['q', 'up'] }, 'all');
    expect(rows.map(({ layer, kind }) => `${layer} ${kind}`)).toEqual(['1 q', '1 up', '2 q', '2 up']);
  });

  test('never sum up a layer whose modules have different experts', () => {
    const trace = fabricate({ layers: 1, kinds: ['q', 'router'] });
    const mixed: Trace = {
      ...trace,
      expertSets: [trace.expertSets[0]!, { scope: 'layer', experts: trace.expertSets[0]!.experts }],
      modules: trace.modules.map((module, s) => ({ ...module, expertSet: s })),
    };
    expect(layers(mixed).map(({ module }) => module)).toEqual([0, 1]);
    expect(layers(trace).map(({ module }) => module)).toEqual([-1]);
  });

  test('know which text they are over', () => {
    const trace = fabricateIds();
    const [first] = layers(trace);
    expect(first!.parts.map((part) => part?.modules.length)).toEqual([1, undefined]);
  });
});

describe('raster', () => {
  test('a layer’s cell shows the leader over its modules; the strength is its share', () => {
    const trace = fabricate({ experts: 8, k: 3 });
    const rows = layers(trace);
    const raster = draw(trace);
    const T = textOf(trace).tokens.count;
    rows.forEach(({ layer }, r) => {
      const leaders = tokenLeaders(trace, sharedModules(trace, { layer })!);
      for (let t = 0; t < T; t++) {
        expect(raster.expert[r * T + t]).toBe(leaders.expert[t]);
        expect(raster.strength[r * T + t]).toBeCloseTo(leaders.share[t]!, 6);
      }
    });
  });

  test('if each layer has its own experts, with many chosen and none with nearly everything, a row’s most decided tokens are the strongest', () => {
    const wide = fabricate({ layers: 2, kinds: ['router'], experts: 32, k: 8, tokens: Array<string>(60).fill('a') });
    const own: Trace = { ...wide, expertSets: [{ ...wide.expertSets[0]!, scope: 'layer' }] };
    const row = (trace: Trace) => draw(trace, modules(trace)).strength.slice(0, 60);
    expect(Math.max(...row(wide))).toBeLessThan(0.5);
    const strength = row(own);
    expect(Math.max(...strength)).toBe(1);
    const { weight } = blockOf(own);
    const order = [...strength.keys()].sort((a, b) => weight![a * 8]! - weight![b * 8]!);
    expect(order.map((t) => strength[t]!)).toEqual([...strength].sort((a, b) => a - b));
    // Nearly even: none looks decided.
    const even = withBlock(own, { weight: weight!.map((_, i) => (i % 8 === 0 ? 0.13 : 0.87 / 7)) });
    expect(Math.max(...row(even))).toBeLessThan(0.1);
  });

  test('where one expert alone is shown, the usual range of its shares has all strengths, and the shares are kept', () => {
    const trace = fabricate({ experts: 8, k: 2, tokens: Array<string>(40).fill('a') });
    const rows = layers(trace);
    const one = draw(trace, rows, { ...filter, experts: [trace.expertSets[0]!.experts[0]!.id] });
    const shown = [...one.expert.keys()].filter((i) => one.expert[i]! >= 0);
    expect(shown.length).toBeGreaterThan(5);
    const made = spread(one);
    const strengths = shown.map((i) => made.strength[i]!);
    expect(Math.max(...strengths)).toBe(1);
    expect(Math.max(...strengths) - Math.min(...strengths)).toBeGreaterThan(
      1.5 * (Math.max(...shown.map((i) => one.strength[i]!)) - Math.min(...shown.map((i) => one.strength[i]!))),
    );
    for (const i of shown) expect(made.share![i]).toBe(one.strength[i]);
    expect([...made.share!].filter((x) => !Number.isNaN(x))).toHaveLength(shown.length);
    expect(made.isPale).toBe(true);
    // The mean that a tip says of several cells is of the shares.
    const own = shown.filter((i) => i < 40).map((i) => one.strength[i]!);
    expect(windowAt(made, { column: 0, row: 0 }, { columns: 40, rows: 1 }).mean).toBeCloseTo(
      own.reduce((sum, x) => sum + x, 0) / own.length,
      5,
    );
    // Rows that show all of their experts stay as they are.
    const some = spread({ ...one, isFiltered: rows.map((_, r) => r === 0) });
    expect(some.strength.slice(40)).toEqual(one.strength.slice(40));
    expect(some.isPale).toBe(false);
  });

  test('a single module’s strength starts at the even split', () => {
    const trace = fabricate({ k: 2 });
    const raster = draw(trace, modules(trace));
    const { chosen, weight } = rowsAt(trace, 0);
    expect(raster.expert[4]).toBe(chosen[8]);
    expect(raster.strength[4]).toBeCloseTo((weight![8]! - 0.5) / 0.5, 6);
  });

  test('what is not routed yet is unknown, and where no expert is chosen there is nothing', () => {
    const trace = fabricate({ done: 5 });
    const raster = draw(trace);
    expect([raster.expert[4]! >= 0, raster.expert[5]]).toEqual([true, unknown]);
    const T = textOf(trace).tokens.count;
    const none = withBlock(fabricate(), {
      chosen: new Int16Array(blockOf(trace).chosen.length).fill(-1),
      weight: new Float32Array(14 * T * 2),
    });
    expect(new Set(draw(none).expert)).toEqual(new Set([nothing]));
  });

  test('none of several experts with equal shares leads', () => {
    const T = 16;
    const trace = fabricate({ experts: 2, k: 2 });
    const even = withBlock(trace, { weight: new Float32Array(14 * T * 2).fill(0.5) });
    expect(new Set(draw(even).expert)).toEqual(new Set([nothing]));
  });

  test('without weights, the first chosen expert leads, always at full strength', () => {
    const trace = without(fabricate({ k: 3 }), 'weight');
    const raster = draw(trace, modules(trace));
    const { chosen } = rowsAt(trace, 3);
    const T = 16;
    for (let t = 0; t < T; t++) {
      expect(raster.expert[3 * T + t]).toBe(chosen[t * 3]);
      expect(raster.strength[3 * T + t]).toBe(1);
    }
  });

  test('each layer’s own experts; empty where a text does not pass, unknown where a source says nothing', () => {
    const trace = fabricateIds();
    const raster = draw(trace);
    const C = 12;
    const { chosen } = rowsAt(trace, 2);
    expect(raster.expert[2 * C + 3]).toBe(chosen[3 * 8]);
    expect([...raster.expert.subarray(2 * C + 6, 3 * C)]).toEqual(Array(6).fill(unknown));
    expect(raster.expert[4 * C + 11]).toBe(unknown);
    expect(raster.expert[4 * C + 10]).toBe(rowsAt(trace, 4).chosen[2 * 8]);
    expect(cellAt(raster, 7, 0)).toBeUndefined();
    expect(cellAt(raster, 8, 0)).toMatchObject({ sequence: 1, token: 0, part: undefined });
  });

  test('the filter of experts applies to the set in sight and hides its other choices', () => {
    const trace = fabricate({ experts: 6, k: 2 });
    const id = trace.expertSets[0]!.experts[3]!.id;
    const raster = draw(trace, modules(trace), { ...filter, experts: [id] });
    const T = 16;
    for (let t = 0; t < T; t++) {
      const has = [...rowsAt(trace, 5).chosen.subarray(t * 2, t * 2 + 2)].includes(3);
      expect(raster.expert[5 * T + t]).toBe(has ? 3 : hidden);
    }
    const ids = fabricateIds();
    const other = ids.expertSets[1]!.experts[7]!.id;
    const elsewhere = rasterOf(ids, layers(ids), columnsOf(ids), { ...filter, experts: [other] }, ids.expertSets[1]);
    expect(elsewhere.expert[0]).toBe(rowsAt(ids, 0).chosen[0]);
    expect([7, hidden]).toContain(elsewhere.expert[12]);
  });

  test('the filters of weight and margin', () => {
    const trace = fabricate({ k: 1, experts: 4 });
    const T = 16;
    const limit = 0.7;
    const raster = draw(trace, modules(trace), { ...filter, margin: limit });
    for (let t = 0; t < T; t++)
      expect(raster.expert[t] === hidden).toBe(certaintyAt(trace, rowsAt(trace, 0), t).margin > limit);
    const heavy = draw(fabricate({ k: 2 }), modules(trace), { ...filter, weight: 1.1 });
    expect(new Set(heavy.expert)).toEqual(new Set([hidden]));
    // Without scores there is no margin to filter by.
    expect([...draw(fabricate({ bare: true }), undefined, { ...filter, margin: 0 }).expert]).not.toContain(hidden);
  });

  test('what a what-if changed', () => {
    const before = fabricate();
    const chosen = blockOf(before).chosen.slice();
    const free = [0, 1, 2, 3, 4].find((e) => !chosen.subarray(0, 2).includes(e))!;
    chosen[0] = free;
    const after = withBlock(before, { chosen });
    const byModule = draw(after, modules(after), filter, before);
    expect(byModule.changed!.reduce((sum, x) => sum + x, 0)).toBe(1);
    expect(byModule.changed![0]).toBe(1);
    expect(draw(after, layers(after), filter, before).changed![0]).toBeCloseTo(1 / 7, 6);
  });

  test('what a changed cell was: a module’s choices, a layer’s shares, and who led a line', () => {
    const before = fabricate({ k: 2 });
    const T = before.sequences[0]!.tokens.count;
    const named = (e: number) => before.expertSets[0]!.experts[e]!.name;
    const { chosen, weight } = rowsAt(before, 0);
    // The first token of the second line, and all of its layer.
    const lines = lineColumns(before)!;
    const { token } = tokenAt(lines, 1)!;
    const now = blockOf(before).chosen.slice();
    const free = [0, 1, 2, 3, 4].find((e) => !chosen.subarray(2 * token, 2 * token + 2).includes(e))!;
    now[2 * token] = free;
    const after = withBlock(before, { chosen: now });

    const byModule = draw(after, modules(after), filter, before);
    const own = [0, 1].map((i) => `${named(chosen[2 * token + i]!)} ${weight![2 * token + i]!.toFixed(2)}`);
    expect(wasAt(after, before, byModule, { column: token, row: 0 })).toBe(`was ${own.join(', ')}`);
    expect(wasAt(after, before, byModule, { column: token, row: 1 })).toBe('');
    expect(wasAt(after, undefined, byModule, { column: token, row: 0 })).toBe('');

    const byLayer = draw(after, layers(after), filter, before);
    const [first] = choicesAt(before, sharedModules(before, { layer: 0 })!, token);
    expect(wasAt(after, before, byLayer, { column: token, row: 0 })).toContain(`was ${named(first!.expert)} `);
    expect(wasAt(after, before, byLayer, { column: token, row: 0 })).toMatch(/% and \d more$|%$/);

    const led = draw(before, modules(before));
    const leaders = [...led.expert.subarray(0, T)].filter((_, t) => lines.spans[0]!.lines!.of[t] === 1);
    const most = Math.max(...leaders.map((e) => leaders.filter((one) => one === e).length));
    const said = wasAt(after, before, byLines(byModule, lines), { column: 1, row: 0 });
    expect(said).toMatch(new RegExp(`^was Expert \\d ${Math.round((100 * most) / leaders.length)}%`));
    expect(wasAt(after, before, byLines(byModule, lines), { column: 0, row: 0 })).toBe('');
  });
});

describe('choices', () => {
  test('have a module’s weights or a layer’s shares, or neither if the source gives none', () => {
    const trace = fabricate({ k: 2 });
    const one = sharedModules(trace, { module: trace.modules[0]!.path })!;
    const { chosen, weight } = rowsAt(trace, 0);
    expect(choicesAt(trace, one, 3)).toEqual([
      { expert: chosen[6], weight: weight![6] },
      { expert: chosen[7], weight: weight![7] },
    ]);
    const all = choicesAt(trace, sharedModules(trace, { layer: 0 })!, 3);
    expect(all.reduce((sum, choice) => sum + choice.weight!, 0)).toBeCloseTo(1, 5);
    const bare = without(trace, 'weight');
    expect(choicesAt(bare, sharedModules(bare, { module: trace.modules[0]!.path })!, 3)).toEqual([
      { expert: chosen[6], weight: undefined },
      { expert: chosen[7], weight: undefined },
    ]);
  });
});

describe('a measure', () => {
  test('of a cell is its own router’s; of a layer’s row, the mean over its modules; all on one scale', () => {
    const trace = fabricate({ layers: 2 });
    const columns = columnsOf(trace);
    const { measured, expert, strength, scale } = measureRaster(trace, modules(trace), columns, 'margin');
    const rows = rowsAt(trace, 3);
    expect(measured![3 * columns.count + 5]).toBeCloseTo(certaintyAt(trace, rows, 5).margin, 5);
    expect(new Set(expert)).toEqual(new Set([0]));
    // The smaller the margin, the stronger.
    const order = [...strength.keys()].sort((a, b) => measured![a]! - measured![b]!);
    expect(strength[order[0]!]).toBe(1);
    expect(strength[order.at(-1)!]).toBe(0);
    const layered = measureRaster(trace, layers(trace), columns, 'margin');
    const byLayer = layered.measured!;
    // The scale is that of what is drawn, and says that some values are past its ends.
    expect(layered.scale!.weak).toBeLessThan(scale!.weak);
    expect(scale!.weak).toBeCloseTo(
      quantile(
        [...measured!].sort((a, b) => a - b),
        0.95,
      ),
      5,
    );
    expect(scale!.isPast).toEqual([true, true]);
    let sum = 0;
    for (let s = 0; s < 7; s++) sum += measured![s * columns.count + 5]!;
    expect(byLayer[5]).toBeCloseTo(sum / 7, 5);
  });

  test('of the whole model is the same in every row, and unknown for the first token', () => {
    const trace = fabricate({ layers: 2 });
    const { measured, expert, scale } = measureRaster(trace, layers(trace), columnsOf(trace), 'surprise');
    const { weak, strong, isPast } = scaled('surprise', measured!.subarray(0, 16));
    expect(scale).toEqual({ weak, strong, isPast });
    expect(measured![16 + 3]).toBe(measured![3]);
    expect(measured![3]).toBeCloseTo(-textOf(trace).logProb![3]!, 5);
    expect(expert[0]).toBe(unknown);
  });
});
