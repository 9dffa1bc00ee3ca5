/** A figure's numbers: as cells for people, as the atlas's own rows for programs; and how they leave the page. */
import type { Row } from '../../src/atlas/tables/table.js';
import { csvText } from '../../src/trace/exports/csv.js';
import { markdownTable, markdownText } from '../../src/trace/exports/markdown.js';
import { extent } from 'd3-array';
import { inFile, type Picture, type Shape, widthOf } from './shapes.js';

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

const [pad, rowHeight, barWidth] = [10, 18, 140];

/** The table, with its bars, as a picture. */
export function pictureOf(sheet: Sheet): Picture {
  const { title, caption, head, rows, cells, bar } = sheet;
  const texts = [head, ...rows.map(cells)];
  const widths = head.map((_, c) => Math.max(...texts.map((row) => widthOf(row[c] ?? ''))) + 14);
  const room = bar ? barWidth + 14 : 0;
  const left = (c: number) => pad + widths.slice(0, c).reduce((a, b) => a + b, 0) + (c > 0 ? room : 0);
  const lines = caption ? [caption] : [];
  const top = pad + 20 + lines.length * 16;
  const y = (row: number) => top + (row + 0.5) * rowHeight;
  const text = (words: string, x: number, at: number, more: object = {}): Shape => ({
    kind: 'text',
    x,
    y: at,
    text: words,
    fill: inFile.foreground,
    ...more,
  });
  const shapes: Shape[] = [
    text(title, pad, pad + 8, { size: 13, isBold: true }),
    ...lines.map((line, i) => text(line, pad, pad + 26 + i * 16, { fill: inFile.faint })),
    ...texts.flatMap((row, r) =>
      row.map((words, c) => text(words, left(c), y(r), r === 0 ? { fill: inFile.faint } : {})),
    ),
    ...(bar
      ? [text(bar.head, pad + widths[0]!, y(0), { fill: inFile.faint }), ...bars(sheet, bar, pad + widths[0]!, y)]
      : []),
  ];
  const widest = Math.max(left(head.length), ...[title, caption ?? ''].map((words) => pad + widthOf(words, 13)));
  return { title, shapes, width: Math.ceil(widest + pad), height: Math.ceil(y(rows.length) + rowHeight / 2 + pad) };
}

function bars(sheet: Sheet, bar: BarColumn, left: number, y: (row: number) => number): Shape[] {
  const [low, high] = scaleEnds(sheet, bar);
  const at = (value: number) => left + ((Math.max(low, value) - low) / (high - low)) * barWidth;
  return [
    ...sheet.rows.flatMap((row, r) => {
      const { value, low: from, high: to } = bar.of(row);
      if (Number.isNaN(value)) return [];
      const [x, end] = [at(Math.min(0, value)), at(Math.max(0, value))];
      const middle = y(r + 1);
      const fill = value < 0 ? inFile.less : inFile.more;
      const isCertain = from !== undefined && to !== undefined && !Number.isNaN(from) && !Number.isNaN(to);
      return [
        { kind: 'rect', x, y: middle - 5, width: Math.max(0.5, end - x), height: 10, fill } as const,
        ...(isCertain
          ? [{ kind: 'path', d: `M${at(from)},${middle}H${at(to)}`, stroke: inFile.foreground } as const]
          : []),
      ];
    }),
    { kind: 'path', d: `M${at(0)},${y(1) - 9}V${y(sheet.rows.length) + 9}`, stroke: inFile.faint } as const,
  ];
}
