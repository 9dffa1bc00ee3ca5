import { describe, expect, test } from 'vitest';
import { initial } from '../../../webview/store/state.js';
import { columnsOf } from '../../../webview/map/columns.js';
import { hidden, nothing, rasterOf, rowsOf, unknown } from '../../../webview/map/model.js';
import { cellsOf, condensed, stepFor, windowAt, type Cells } from '../../../webview/map/cells.js';
import { without } from '../../../webview/map/words.js';
import { fabricate } from '../trace/fabricate.js';

const cells = (tones: readonly (readonly number[])[], more: Partial<Cells> = {}): Cells => ({
  rows: tones.length,
  columns: tones[0]!.length,
  tone: Int16Array.from(tones.flat()),
  strength: new Float32Array(tones.flat().length).fill(0.5),
  stays: new Uint8Array(tones.flat().length),
  isLed: true,
  ...more,
});

test('cells that can be seen are drawn one by one; of smaller ones, as many as fill two pixels form a window', () => {
  expect(stepFor({ width: 1, height: 8 })).toEqual({ columns: 1, rows: 1 });
  expect(stepFor({ width: 0.4, height: 0.9 })).toEqual({ columns: 5, rows: 3 });
});

describe('a window', () => {
  test('shows the expert that most of its cells have, as strong as their share', () => {
    const { tone, strength, columns } = condensed(cells([[3, 3, 5, 3, 7, 8, 8]]), { columns: 4, rows: 1 });
    expect(columns).toBe(2);
    expect([...tone]).toEqual([3, 8]);
    expect(strength[0]).toBeCloseTo(3 / 4, 6);
    expect(strength[1]).toBeCloseTo(2 / 3, 6);
  });

  test('leaves out unknown cells, and is hidden if all others are', () => {
    const none = [-3, -3];
    const { tone, strength } = condensed(
      cells([
        [...none, 4, -2],
        [-3, -2, ...none],
        [...none, ...none],
      ]),
      {
        columns: 4,
        rows: 1,
      },
    );
    expect([...tone]).toEqual([4, -2, -3]);
    expect([...strength]).toEqual([1, 0, 0]);
  });

  test('has the tone of experts without a colour, if most cells have it', () => {
    const { tone } = condensed(cells([[-1, -1, 2]]), { columns: 3, rows: 1 });
    expect([...tone]).toEqual([-1]);
  });

  test('over several rows of a pool, adds them up; in rows with their own experts, the same colour counts as two', () => {
    const rows = [
      [1, 1, 2, 2, 2],
      [1, 1, 3, 3, 4],
    ];
    const step = { columns: 5, rows: 2 };
    expect([...condensed(cells(rows), step).tone]).toEqual([1]);
    const local = condensed(cells(rows, { apart: 'rows' }), step);
    expect([...local.tone]).toEqual([2]);
    expect(local.strength[0]).toBeCloseTo(0.3, 6);
  });

  test('of numbers is as strong as their mean', () => {
    const strength = Float32Array.of(0.2, 0.4, 0.9);
    const { tone, strength: mean } = condensed(cells([[0, 0, 0]], { strength, isLed: false }), { columns: 3, rows: 1 });
    expect([tone[0], mean[0]]).toEqual([0, expect.closeTo(0.5, 6)]);
  });

  test('is faded if a what-if changed none of it', () => {
    const stays = Uint8Array.of(1, 1, 1, 0);
    expect([...condensed(cells([[1, 1, 1, 1]], { stays }), { columns: 2, rows: 1 }).stays]).toEqual([1, 0]);
  });
});

test('cells show what the raster says, in the slots of their experts', () => {
  const trace = fabricate({ layers: 1 });
  const raster = rasterOf(trace, rowsOf(trace, initial.filter, []), columnsOf(trace), initial.filter, undefined);
  raster.expert.set([hidden, unknown], 3);
  const { tone, isLed, apart } = cellsOf(raster, (_, column) => 100 + column, false);
  expect([...tone.subarray(2, 6)]).toEqual([102, -2, -3, 105]);
  expect([isLed, apart]).toEqual([true, undefined]);
});

test('a window is described by which experts lead how many of its cells', () => {
  const trace = fabricate({ layers: 2 });
  const columns = columnsOf(trace);
  const raster = rasterOf(trace, rowsOf(trace, initial.filter, []), columns, initial.filter, undefined);
  raster.expert.set([0, 0, 1, 0, 2, 1], columns.count + 5);
  const { from, to, shares, known } = windowAt(raster, { column: 8, row: 1 }, { columns: 5, rows: 1 });
  expect([from, to]).toEqual([
    { column: 5, row: 1 },
    { column: 9, row: 1 },
  ]);
  expect(known).toBe(5);
  expect(shares.map(({ expert, count }) => [expert, count])).toEqual([
    [0, 3],
    [1, 1],
    [2, 1],
  ]);
});

test('a window in which nobody leads says why: hidden by the filter, or else none, or else nothing is known', () => {
  const trace = fabricate({ layers: 1 });
  const raster = rasterOf(trace, rowsOf(trace, initial.filter, []), columnsOf(trace), initial.filter, undefined);
  const why = (...kinds: number[]) => {
    raster.expert.set(kinds);
    const window = windowAt(raster, { column: 0, row: 0 }, { columns: kinds.length, rows: 1 });
    expect(window.known).toBe(0);
    return without(raster, window.without);
  };
  expect(why(unknown, hidden, nothing)).toBe('hidden by the filter');
  expect(why(unknown, nothing)).toBe('no expert leads');
  expect(why(unknown, unknown)).toBe('nothing is known here');
});
