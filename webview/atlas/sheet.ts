/** A figure's numbers: as cells for people, as the atlas's own rows for programs; and how they leave the page. */
import type { Row } from '../../src/atlas/tables/table.js';
import { csvText } from '../../src/trace/exports/csv.js';
import { markdownTable, markdownText } from '../../src/trace/exports/markdown.js';
import { extent } from 'd3-array';
import { quiet } from '../../src/look/palette.js';
import type { Plot, Quantity } from '../../src/paper/plot.js';
import { t } from '../look/strings.js';

export interface Sheet {
  /** Of a file, without its ending. */
  readonly name: string;
  readonly title: string;
  readonly caption?: string;
  readonly head: readonly string[];
  readonly rows: readonly Row[];
  readonly cells: (row: Row) => readonly string[];
  /** A bar after the first cell. */
  readonly bar?: BarColumn;
}

export interface BarColumn {
  readonly head: string;
  /** What the bars measure, for an axis. */
  readonly measures: Quantity;
  readonly of: (row: Row) => { readonly value: number; readonly low?: number; readonly high?: number };
}

/** The columns are the table's own (docs/atlas.md). */
export function csvOf({ rows }: Sheet): string {
  const columns = Object.keys(rows[0] ?? {});
  const cell = (value: Row[string] | undefined) =>
    typeof value === 'string'
      ? csvText(value)
      : typeof value === 'boolean'
        ? String(Number(value))
        : value === null || value === undefined || Number.isNaN(value)
          ? ''
          : String(value);
  return [columns, ...rows.map((row) => columns.map((name) => cell(row[name])))]
    .map((cells) => `${cells.join(',')}\r\n`)
    .join('');
}

export function markdownOf({ title, caption, head, rows, cells }: Sheet): string {
  const text = markdownTable(
    head.map(markdownText),
    rows.map((row) => cells(row).map(markdownText)),
  );
  return [`**${markdownText(title)}**`, ...(caption ? [markdownText(caption)] : []), text, ''].join('\n\n');
}

/** Both ends of the bars' scale: as far to the left of 0 as to the right, unless there is nothing on the left. */
export function scaleEnds({ rows }: Sheet, bar: BarColumn): readonly [low: number, high: number] {
  const all = rows.flatMap((row) => Object.values(bar.of(row))).filter((value) => Number.isFinite(value));
  const [low, high] = extent([0, ...all]) as [number, number];
  const most = Math.max(-low, high, 1e-9);
  return [low < 0 ? -most : 0, most];
}

/** For a picture: the bars where they have whiskers, or else the table, which says more. */
export function plotOf({ head, rows, cells, bar }: Sheet): Plot {
  const bars = bar ? rows.map((row) => ({ ...bar.of(row), name: cells(row)[0]! })) : [];
  if (!bar || bars.every(({ low }) => low === undefined)) return { kind: 'table', head, rows: rows.map(cells) };
  const isKnown = (x: number | undefined) => x !== undefined && !Number.isNaN(x);
  return {
    kind: 'bars',
    of: head[0]!,
    value: bar.measures,
    interval: t('interval'),
    bars: bars
      .filter(({ value }) => isKnown(value))
      .map(({ name, value, low, high }) => ({
        of: { name, shortLabel: '', slot: quiet },
        value,
        ...(isKnown(low) && isKnown(high) && { low, high }),
      })),
  };
}
