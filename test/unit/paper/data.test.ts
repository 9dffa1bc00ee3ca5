import { describe, expect, test } from 'vitest';
import { csvOf, dataOf, vegaOf } from '../../../src/paper/data.js';
import type { Plot } from '../../../src/paper/plot.js';
import { bars, experts, heat, lines, map, marked, table } from './plots.js';

const charts: readonly (readonly [string, Exclude<Plot, { kind: 'table' }>])[] = [
  ['bars', bars],
  ['lines', lines],
  ['heat', heat],
  ['heat around 0', marked],
  ['map of tokens', map('across', 20)],
  ['map of lines', map('down', 20)],
];

test('the data are the numbers of the figure, in the units of its axes', () => {
  expect(dataOf(bars)).toEqual({
    columns: ['Expert', 'Load (%)', '95% interval, low', '95% interval, high', 'Chance'],
    rows: expect.arrayContaining([['Python', 40, 35, 45, 25]]) as unknown,
  });
  expect(dataOf(lines).rows.slice(0, 2)).toEqual([
    ['Now', 0, 0.1],
    ['Now', 1, null],
  ]);
  expect(dataOf(heat).rows[0]).toEqual(['0', 'Python', 50]);
  expect(dataOf(marked)).toEqual({
    columns: ['Layer', 'Expert', 'Load ÷ chance (log2)', 'dead', 'overloaded', 'not known'],
    rows: expect.arrayContaining([
      ['0', '1', null, 1, 0, 0],
      ['1', '0', -3, 0, 1, 0],
    ]) as unknown,
  });
  expect(dataOf(marked).rows).toHaveLength(4 + 2 + 4);
  const { columns, rows } = dataOf(map('across', 20));
  expect(columns).toEqual(['Token', 'text', 'Layer', 'Expert', 'Share of the weight (%)']);
  expect(rows).toHaveLength(20 * 30);
  expect(rows[1]).toEqual([1, 'word0', 'layer 1', 'Python', 6.25]);
});

test('as CSV they can be read by any program', () => {
  expect(csvOf(bars).split('\r\n').slice(0, 2)).toEqual([
    '"Expert","Load (%)","95% interval, low","95% interval, high","Chance"',
    '"Python",40,35,45,25',
  ]);
  expect(csvOf(table).split('\r\n')).toHaveLength(82);
  expect(csvOf(table)).toContain('"word3, ""quoted""","3%","3×"');
});

interface Unit {
  readonly mark: string | { readonly type: string };
  readonly encoding: Readonly<
    Record<string, { readonly field?: string; readonly type?: string; readonly datum?: number }>
  >;
}

describe('as a chart of Vega-Lite', () => {
  test.each(charts)('%s', (_, plot) => {
    const chart = JSON.parse(vegaOf(plot, 'What it shows.')!) as {
      readonly $schema: string;
      readonly description: string;
      readonly data: { readonly values: readonly Readonly<Record<string, unknown>>[] };
      readonly layer?: readonly Unit[];
    } & Unit;
    expect(chart.$schema).toBe('https://vega.github.io/schema/vega-lite/v5.json');
    expect(chart.description).toBe('What it shows.');
    const { columns, rows } = dataOf(plot);
    expect(chart.data.values).toHaveLength(rows.length);
    expect(Object.keys(chart.data.values[0]!)).toEqual(columns);
    // Every mark is one, and every channel takes a column that there is.
    const units = chart.layer ?? [chart];
    expect(units.length).toBeGreaterThan(0);
    for (const { mark, encoding } of units) {
      expect(['bar', 'line', 'rect', 'rule', 'tick']).toContain(typeof mark === 'string' ? mark : mark.type);
      for (const { field, type, datum } of Object.values(encoding)) {
        if (datum !== undefined) continue;
        expect(columns).toContain(field!.replaceAll('\\', ''));
        if (type !== undefined) expect(['nominal', 'ordinal', 'quantitative']).toContain(type);
      }
    }
  });

  test('has each expert’s own colour', () => {
    const chart = JSON.parse(vegaOf(map('across', 20), '')!) as {
      encoding: { color: { scale: { domain: string[]; range: string[] } } };
    };
    expect(chart.encoding.color.scale.domain).toEqual(experts.map(({ name }) => name));
    expect(new Set(chart.encoding.color.scale.range).size).toBe(experts.length);
  });

  test('is not made of a table', () => {
    expect(vegaOf(table, '')).toBeUndefined();
  });
});
