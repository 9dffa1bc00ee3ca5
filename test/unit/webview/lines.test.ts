import { describe, expect, test } from 'vitest';
import { shownExpertsOf } from '../../../src/trace/model/shownExperts.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { initial } from '../../../webview/store/state.js';
import { cellsOf, condensed, windowAt } from '../../../webview/map/cells.js';
import { columnOf, columnsOf, lineColumns, onToken, tokenAt, untilLast } from '../../../webview/map/columns.js';
import { byLines, expertRaster, expertRows } from '../../../webview/map/lineRaster.js';
import { linesOf } from '../../../webview/map/lines.js';
import { cellWords, inBrief, lineRemark } from '../../../webview/map/words.js';
import {
  blank,
  hidden,
  measureRaster,
  nothing,
  rasterOf,
  rowsOf,
  unknown,
  type Raster,
} from '../../../webview/map/model.js';
import { fabricate, fabricateIds } from '../trace/fabricate.js';

const poem = ['<|start|>', 'one', ' two', '\n', '\n', 'three', '\n\n', 'four', ' five', ' six'];

describe('rows', () => {
  test('are the lines of the text, including those without a token; a token is in the line in which it begins', () => {
    const lines = linesOf(fabricate({ tokens: poem }).sequences[0]!)!;
    expect([...lines.line]).toEqual([0, 1, 2, 3, 4]);
    expect([...lines.first]).toEqual([1, 4, 5, -1, 7]);
    expect([...lines.end]).toEqual([4, 5, 7, -1, 10]);
    expect([...lines.of]).toEqual([-1, 0, 0, 0, 1, 2, 2, 4, 4, 4]);
  });

  test('do not include one behind the last line break, of which there is no text', () => {
    const lines = linesOf(fabricate({ tokens: ['one', '\n', 'two', '\n'] }).sequences[0]!)!;
    expect([...lines.line]).toEqual([0, 1]);
    expect([...lines.of]).toEqual([0, 0, 1, 1]);
    expect([...linesOf(fabricate({ tokens: ['\n\n'] }).sequences[0]!)!.line]).toEqual([0, 1]);
  });

  test('are pieces of long lines', () => {
    const tokens = [...Array.from({ length: 100 }, () => 'word '), '\n', 'end'];
    const lines = linesOf(fabricate({ tokens }).sequences[0]!)!;
    expect([...lines.line]).toEqual([0, 0, 0, 0, 1]);
    expect([...lines.start]).toEqual([0, 160, 320, 480, 501]);
    expect([...lines.first]).toEqual([0, 32, 64, 96, 101]);
  });

  test('are skipped by keys if they have no token; after the last one, keys turn back', () => {
    const columns = lineColumns(fabricate({ tokens: [...poem, '\n\n'] }))!;
    expect(columns.count).toBe(6);
    expect(onToken(columns, 3, 2)).toBe(4);
    expect(onToken(columns, 3, 4)).toBe(2);
    expect(onToken(columns, 5, 4)).toBe(4);
    expect(tokenAt(columns, 0)).toEqual({ sequence: 0, token: 1, end: 4 });
    expect(columnOf(columns, 0, 8)).toBe(4);
    expect(columnOf(columns, 0, 0)).toBe(-1);
  });

  test('say why they are pale or empty, where they are', () => {
    const trace = fabricate({ tokens: poem });
    const [tokens, lines] = [columnsOf(trace), lineColumns(trace)!];
    const rows = rowsOf(trace, initial.filter, []);
    const raster = byLines(rasterOf(trace, rows, tokens, initial.filter, undefined), lines);
    const labels = ['1', '2', '3', '4', '5'];
    expect(labels.map((_, column) => lineRemark(raster, column, labels))).toEqual([
      '',
      'White space alone: drawn pale',
      '',
      'No token begins in line 4: its line break is part of one above.',
      '',
    ]);
    // A number is drawn as it is.
    const measured = byLines(measureRaster(trace, rows, tokens, 'entropy'), lines);
    expect(lineRemark(measured, 1, labels)).toBe('');
  });

  test('do not exist if the text is unknown', () => {
    expect(lineColumns(fabricateIds())).toBeUndefined();
  });
});

test('the frame around a column ends with the last line that has a token', () => {
  const count = (tokens: readonly string[]) => {
    const columns = lineColumns(fabricate({ tokens }))!;
    return [columns.count, untilLast(columns)];
  };
  expect(count(['one', '\n  '])).toEqual([2, 1]);
  expect(count(['one', '\n', 'two'])).toEqual([2, 2]);
});

const trace = fabricate({ tokens: poem, layers: 2 });
const rows = rowsOf(trace, initial.filter, []);
const tokens = columnsOf(trace);
const columns = lineColumns(trace)!;
const raster = () => rasterOf(trace, rows, tokens, initial.filter, undefined);

describe('a line’s cell', () => {
  test('shows the leader of most of its tokens, as strong as their share', () => {
    const made = raster();
    made.expert.set([4, 2, 3, 3, 1, 0, 4, 2, 2, 1]);
    const lines = byLines(made, columns);
    expect(lines.isTurned).toBe(true);
    expect([...lines.expert.subarray(0, 5)]).toEqual([3, 1, 0, unknown, 2]);
    expect([...lines.strength.subarray(0, 5)].map((x) => Math.round(x * 100))).toEqual([67, 100, 50, 0, 67]);
  });

  test('names all that lead equally often, by their index, as the tip lists them', () => {
    const made = raster();
    const said = (leaders: number[], line: number) => {
      made.expert.set(leaders);
      return cellWords(byLines(made, columns), { row: 0, column: line });
    };
    expect(said([4, 2, 3, 3], 0)).toBe('Expert 3 leads at 67% of the tokens');
    expect(said([4, 3, 1, nothing], 0)).toBe(
      'Expert 1 and Expert 3 lead equally often: at 50% each of the 2 tokens with a leader',
    );
    expect(said([4, 3, 3, unknown], 0)).toBe('Expert 3 leads at 100% of the 2 tokens with a leader');
    expect(said([4, hidden, 3, unknown], 0)).toBe('Expert 3 leads at the only token with a leader');
    expect(said([4, 3, 1, 2], 0)).toBe('Expert 1, Expert 2 and Expert 3 lead equally often: at 33% of the tokens each');
    const tip = windowAt(made, { column: 1, row: 0 }, { columns: 3, rows: 1 });
    expect(tip.shares.map(({ expert }) => expert)).toEqual([1, 3, 4]);
  });

  test('in brief has its line and number of tokens first, where nothing cuts them off', () => {
    const made = raster();
    made.expert.set([4, 2, 3, 3]);
    const labels = ['1', '2', '3', '4', '5'];
    const brief = (down: Raster, row: number) => inBrief(trace, down, { column: 0, row }, labels);
    expect(brief(byLines(made, columns), 0)).toBe('line 1, 3 tokens · layer 0 · Expert 3 leads at 67% of tokens');
    made.expert.set([4, 3, 3, unknown]);
    expect(brief(byLines(made, columns), 0)).toBe('line 1, 3 tokens · layer 0 · Expert 3 leads at 100% of 2');
  });

  test('of a chosen expert is as strong as its share of the weight of all the line’s tokens', () => {
    const made = raster();
    made.expert.set([4, 2, hidden, hidden, 2, nothing, 2]);
    made.strength.set([0, 0.6, 0, 0, 0.3, 0, 0.4]);
    const lines = byLines({ ...made, isFiltered: rows.map(() => true) }, columns);
    expect([...lines.expert.subarray(0, 3)]).toEqual([2, 2, 2]);
    expect([...lines.strength.subarray(0, 3)].map((x) => Math.round(x * 100))).toEqual([20, 30, 20]);
  });

  test('is drawn as weak as can be in a line without text, whose only token has all the share there is', () => {
    const made = raster();
    made.expert.set([4, 2, 3, 3, 1, 0, 4, 2, 2, 1]);
    const lines = byLines(made, columns);
    const { strength, columns: across } = cellsOf(lines, () => 0, false);
    // Turned: a row per line.
    expect([0, 1, 2].map((l) => Math.round(strength[l * across]! * 100))).toEqual([67, 0, 50]);
    expect(Math.round(lines.strength[1]! * 100)).toBe(100);
  });

  test('leaves out what is unknown; that tokens are hidden or have no leader is shown if nothing else is', () => {
    const made = raster();
    made.expert.set([4, hidden, 3, nothing, nothing, unknown, hidden]);
    expect([...byLines(made, columns).expert.subarray(0, 3)]).toEqual([3, nothing, hidden]);
  });

  test('counts what a what-if changed', () => {
    const made = { ...raster(), changed: new Float32Array(rows.length * tokens.count) };
    made.changed.set([0, 1, 0.5, 0]);
    expect(byLines(made, columns).changed![0]).toBeCloseTo(0.5, 6);
  });

  test('of a change is the mean, with its sign', () => {
    const change = Float32Array.of(NaN, 1, -2, NaN, 0.5, NaN, NaN, -1, -1, 1);
    const made = { ...blank('change', rows, tokens), change };
    change.forEach((x, t) => {
      if (Number.isNaN(x)) return;
      made.expert[t] = x < 0 ? 0 : 1;
      made.strength[t] = Math.min(1, Math.abs(x) / 2);
    });
    const lines = byLines(made, columns);
    expect([...lines.change!.subarray(0, 5)].map((x) => Math.round(x * 100) / 100)).toEqual([
      -0.5,
      0.5,
      NaN,
      NaN,
      -0.33,
    ]);
    expect([...lines.expert.subarray(0, 5)]).toEqual([0, 1, unknown, unknown, 0]);
    expect(lines.strength[0]).toBeCloseTo(0.25, 6);
  });

  test('of a number is the mean', () => {
    const measured = measureRaster(trace, rows, tokens, 'weight');
    const value = measured.measured!;
    const mean = (value[1]! + value[2]! + value[3]!) / 3;
    const lines = byLines(measured, columns);
    expect(lines.measured![0]).toBeCloseTo(mean, 6);
    // On the lines' own scale: the strength is that of the mean, not the mean of strengths, and nothing unknown has one.
    const { weak, strong } = lines.scale!;
    const known = [...lines.measured!].filter((x) => !Number.isNaN(x));
    expect([weak, strong].every((end) => end >= Math.min(...known) && end <= Math.max(...known))).toBe(true);
    expect(lines.strength[0]).toBeCloseTo(Math.min(1, Math.max(0, (mean - weak) / (strong - weak))), 5);
    expect([lines.expert[3], lines.strength[3]]).toEqual([unknown, 0]);
    // Beside other cells, on theirs.
    const other = byLines(measured, columns, { weak: 0, strong: 2 * mean, isPast: [false, false] });
    expect(other.strength[0]).toBeCloseTo(0.5, 5);
  });
});

describe('experts as columns', () => {
  const shownExperts = shownExpertsOf(trace)!;

  test('have their share of the line’s weight, which adds up to all of it', () => {
    const made = expertRaster(trace, expertRows(shownExperts, []), columns);
    const { share, expert } = made;
    const of = (line: number) => made.rows.map((_, r) => share![r * columns.count + line]!);
    expect(of(0).reduce((sum, x) => sum + x, 0)).toBeCloseTo(1, 5);
    expect(of(3).every(Number.isNaN)).toBe(true);
    const own = new Map<number, number>();
    const { chosen, weight, k } = trace.blocks[0]!;
    for (let s = 0; s < trace.modules.length; s++)
      for (let i = (s * poem.length + 1) * k; i < (s * poem.length + 4) * k; i++)
        own.set(chosen[i]!, (own.get(chosen[i]!) ?? 0) + weight![i]! / (3 * trace.modules.length));
    of(0).forEach((x, e) => expect(x).toBeCloseTo(own.get(e) ?? 0, 5));
    expect(expert[0]).toBe(0);
  });

  test('are only those in the filter, if there are any', () => {
    const { id } = shownExperts.set.experts[2]!;
    expect(expertRows(shownExperts, [id]).map(({ expert }) => expert)).toEqual([2]);
    expect(expertRows(shownExperts, ['another pool’s'])).toHaveLength(5);
  });
});

describe('on the screen', () => {
  test('lines run down, and one layer’s experts are counted separately from another’s', () => {
    const local: Trace = {
      ...trace,
      expertSets: [
        { scope: 'layer', experts: trace.expertSets[0]!.experts },
        { scope: 'layer', experts: trace.expertSets[0]!.experts },
      ],
      modules: trace.modules.map((module) => ({ ...module, expertSet: module.layer })),
    };
    const own = rasterOf(local, rowsOf(local, initial.filter, []), tokens, initial.filter, undefined);
    const lines = byLines(own, columns);
    lines.expert.set([1, 1, 2, unknown, 2, 3, 3, 3, unknown, 1]);
    const cells = cellsOf(lines, (row, column) => lines.expert[row * columns.count + column]!, false);
    expect([cells.rows, cells.columns, cells.apart]).toEqual([5, 2, 'columns']);
    expect([...cells.tone.subarray(0, 4)]).toEqual([1, 3, 1, 3]);
    expect([...condensed(cells, { rows: 5, columns: 1 }).tone]).toEqual([1, 3]);
    // As the pointer requests it: the whole of a layer's lines.
    const { from, to } = windowAt(lines, { column: 3, row: 1 }, { rows: 2, columns: 1 });
    expect([from, to]).toEqual([
      { column: 2, row: 1 },
      { column: 3, row: 1 },
    ]);
  });

  test('lines after an edit are faded', () => {
    const cells = cellsOf(
      byLines(raster(), columns),
      () => 1,
      false,
      (column) => column > 1,
    );
    expect([...cells.stays.subarray(0, 6)]).toEqual([0, 0, 0, 0, 1, 1]);
  });
});

test('two texts are below one another, with a gap', () => {
  const ids = fabricateIds();
  const sequences = ids.sequences.map((sequence) => {
    const at = Int32Array.from({ length: sequence.tokens.count }, (_, t) => 2 * t);
    const tokens = { ...sequence.tokens, start: at, end: at.map((start) => start + 2) };
    return { ...sequence, text: 'a\n'.repeat(tokens.count), tokens };
  });
  const both = lineColumns({ ...ids, sequences });
  expect(both?.spans.map(({ sequence, from, count }) => [sequence, from, count])).toEqual([
    [0, 0, 6],
    [1, 8, 4],
  ]);
});
