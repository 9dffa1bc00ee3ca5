/** The data of a figure, so that others can draw it anew: a table, or a chart of Vega-Lite. */
import { csvText } from '../trace/exports/csv.js';
import { shown } from '../trace/text/label.js';
import { nameOf } from './heat.js';
import { paper } from './look.js';
import { cellsOf } from './map.js';
import { titleOf, type Named, type Plot, type Quantity } from './plot.js';

type Value = string | number | null;

/** A figure's rows; a name of a column is what the figure's axis says. */
export interface Data {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Value[])[];
}

/** In the unit that the axis has, as short as float32 allows. */
function inUnit({ times = 1 }: Quantity, value: number | undefined): number | null {
  return value === undefined || !Number.isFinite(value) ? null : Number((value * times).toPrecision(7));
}

/** A run that a figure shows: what it is called there, and its name. */
export interface DataRun {
  readonly title: string;
  readonly name: string;
}

/** @param runs if two are compared: each has a column, because titles say only “this run” and “the other” */
export function dataOf(plot: Plot, runs: readonly DataRun[] = []): Data {
  const { columns, rows } = bareData(plot);
  const names = runs.map(({ name }) => name);
  return {
    columns: [...columns, ...runs.map(({ title }) => title)],
    rows: names.length === 0 ? rows : rows.map((row) => [...row, ...names]),
  };
}

function bareData(plot: Plot): Data {
  switch (plot.kind) {
    case 'bars': {
      const { of, value, bars, reference, interval } = plot;
      const columns = [of, titleOf(value)];
      if (interval !== undefined) columns.push(`${interval}, low`, `${interval}, high`);
      if (reference !== undefined) columns.push(reference);
      const rows = bars.map((bar) => [
        bar.of.name,
        inUnit(value, bar.value),
        ...(interval !== undefined ? [inUnit(value, bar.low), inUnit(value, bar.high)] : []),
        ...(reference !== undefined ? [inUnit(value, bar.reference)] : []),
      ]);
      return { columns, rows };
    }
    case 'lines': {
      const { x, y, series } = plot;
      const rows = series.flatMap(({ name, values }) =>
        Array.from(values, (value, i) => [name, x.first + i, inUnit(y, value)]),
      );
      return { columns: ['series', x.title, titleOf(y)], rows };
    }
    case 'heat': {
      const { rowTitle, rows, columnTitle, columns, value, values, marks } = plot;
      // The same experts may be rows and columns.
      const second = columnTitle === rowTitle ? `${columnTitle} 2` : columnTitle;
      return {
        columns: [rowTitle, second, titleOf(value), ...(marks ? marks.means.map(([, words]) => words) : [])],
        rows: rows.flatMap((row, r) =>
          Array.from(values[r]!, (x, c) => [
            nameOf(row),
            nameOf(columns[c]!),
            inUnit(value, x),
            ...(marks ? marks.means.map(([mark]) => Number(marks.of(r, c).includes(mark))) : []),
          ]),
        ),
      };
    }
    case 'map': {
      const { text, model, levels, value, who } = plot;
      const rows = Array.from(cellsOf(plot), ({ level, place, at }) => [
        Number(at.number) || at.number,
        shown(at.text),
        levels[level]!.name,
        ...(who ? [who.of(level, place)] : []),
        inUnit(value, value.of(level, place)),
      ]);
      return { columns: [text, 'text', model, ...(who ? [who.title] : []), titleOf(value)], rows };
    }
    case 'table':
      return { columns: plot.head, rows: plot.rows };
  }
}

/** RFC 4180. */
export function csvOf(plot: Plot, runs?: readonly DataRun[]): string {
  const { columns, rows } = dataOf(plot, runs);
  const cell = (value: Value) => (value === null ? '' : typeof value === 'number' ? String(value) : csvText(value));
  return [columns, ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}

const schema = 'https://vega.github.io/schema/vega-lite/v5.json';

/** A chart of Vega-Lite with its data; undefined for a table, which is none. */
export function vegaOf(plot: Plot, caption: string, runs?: readonly DataRun[]): string | undefined {
  if (plot.kind === 'table') return undefined;
  const { columns, rows } = dataOf(plot, runs);
  const values = rows.map((row) => Object.fromEntries(row.map((value, c) => [columns[c]!, value])));
  const chart = chartOf(plot, bareData(plot).columns);
  return `${JSON.stringify({ $schema: schema, description: caption, data: { values }, ...chart }, null, 1)}\n`;
}

/** A column as a channel. A dot or a bracket in a name would be taken for a path. */
function channel(column: string, type: 'nominal' | 'ordinal' | 'quantitative', more: object = {}) {
  return { field: column.replace(/[.[\]\\]/g, '\\$&'), type, title: column, ...more };
}

/** The experts' own colours. */
function colours(all: readonly Named[]) {
  return { domain: all.map(({ name }) => name), range: all.map(({ slot }) => paper.expert(slot).fill) };
}

/** From one hue through white to the other. */
function aroundZero(most: number, { times = 1 }: Quantity) {
  const { hues, background, main } = paper;
  return { domain: [-most * times, 0, most * times], range: [hues[0], background, main], clamp: true };
}

function chartOf(plot: Exclude<Plot, { kind: 'table' }>, columns: readonly string[]): object {
  const [first, second, third, fourth] = columns as [string, string, string, string];
  switch (plot.kind) {
    case 'bars': {
      const y = channel(first, 'nominal', { sort: null });
      const who = channel(first, 'nominal', { scale: colours(plot.bars.map((bar) => bar.of)), legend: null });
      const layer: object[] = [{ mark: 'bar', encoding: { y, x: channel(second, 'quantitative'), color: who } }];
      if (plot.interval !== undefined)
        layer.push({
          mark: 'rule',
          encoding: { y, x: channel(third, 'quantitative'), x2: { field: channel(fourth, 'quantitative').field } },
        });
      if (plot.reference !== undefined)
        layer.push({ mark: 'tick', encoding: { y, x: channel(columns.at(-1)!, 'quantitative') } });
      return { layer };
    }
    case 'lines':
      return {
        layer: [
          {
            mark: 'line',
            encoding: {
              x: channel(second, 'quantitative'),
              y: channel(third, 'quantitative'),
              color: channel(first, 'nominal'),
            },
          },
          ...(plot.reference
            ? [
                {
                  mark: { type: 'rule', strokeDash: [4, 3] },
                  encoding: { y: { datum: inUnit(plot.y, plot.reference.value) } },
                },
              ]
            : []),
        ],
      };
    case 'heat':
      return {
        mark: 'rect',
        encoding: {
          y: channel(first, 'ordinal', { sort: null }),
          x: channel(second, 'ordinal', { sort: null }),
          color: channel(third, 'quantitative', plot.scale && { scale: aroundZero(plot.scale.most, plot.value) }),
        },
      };
    case 'map': {
      const along = channel(first, 'ordinal', { sort: null });
      const levels = channel(third, 'ordinal', { sort: null });
      const [x, y] = plot.runs === 'across' ? [along, levels] : [levels, along];
      const strength = channel(columns.at(-1)!, 'quantitative');
      if (!plot.who) return { mark: 'rect', encoding: { x, y, color: strength } };
      const color = channel(plot.who.title, 'nominal', { scale: colours(plot.legend) });
      return { mark: 'rect', encoding: { x, y, color, opacity: strength } };
    }
  }
}
