import { max, sum } from 'd3-array';
import type { Look } from './look.js';
import { widthOf } from './metrics.js';
import type { TablePlot } from './plot.js';
import { lineHeight, type Sheet, wrapped } from './sheet.js';

/** A longer table is for its data file. */
const most = 60;
/** Between columns: where there is room, and where there is little. */
const gaps = [8, 5] as const;
/** Longer cells are taken for words: they stand at the left, and go on in a next line where there is no room. */
const longest = 70;
/** Between the parts of a table that is too wide to be whole. */
const apart = 8;

interface Column {
  readonly head: string;
  readonly cells: readonly string[];
  readonly isNumber: boolean;
  /** Of its widest cell, and the least: below that, numbers would be cut and words broken. */
  readonly wide: number;
  readonly least: number;
}

/** Columns that stand beside each other, and how wide each is. */
interface Part {
  readonly columns: readonly Column[];
  readonly widths: readonly number[];
  readonly gap: number;
}

/**
 * Returns the height. Nothing is cut: heads and words wrap, and a table that is too wide even so is broken into parts below each
 * other, each with the rows' names. Numbers stand at the right of their column.
 */
export function drawTable(sheet: Sheet, look: Look, { head, rows }: TablePlot, width: number): number {
  const shown = rows.slice(0, most);
  const columns = head.map((title, c) =>
    columnOf(
      title,
      shown.map((row) => row[c] ?? ''),
    ),
  );
  let y = 1;
  partsOf(columns, width).forEach((part, i) => {
    y = drawPart(sheet, look, part, shown.length, y + (i === 0 ? 0 : apart));
  });
  if (rows.length > most) sheet.text(`… ${rows.length - most}`, 0, (y += lineHeight), look.ink);
  return y + 2;
}

const number = /^([−+-]?<?\d.*|[–∞]|)$/;

function columnOf(head: string, cells: readonly string[]): Column {
  const wide = max(cells, (text) => widthOf(text)) ?? 0;
  const isNumber = wide <= longest && cells.length > 0 && cells.every((text) => number.test(text));
  const least = wide <= longest ? wide : Math.max(longest, widestWord(cells, false));
  return { head, cells, isNumber, wide, least: Math.max(least, widestWord([head], true)) };
}

const widestWord = (texts: readonly string[], isBold: boolean): number =>
  max(texts, (text) => max(text.split(' '), (word) => widthOf(word, isBold)) ?? 0) ?? 0;

/** All columns beside each other if they fit; else in as few parts as it takes, of about the same width, that begin with the first column. */
function partsOf(columns: readonly Column[], width: number): Part[] {
  const whole = fitted(columns, width);
  if (whole || columns.length < 2) return [whole ?? squeezed(columns, width)];
  const [first, ...others] = columns as [Column, ...Column[]];
  const room = width - first.least;
  const split = (limit: number) => {
    const parts: Column[][] = [];
    let used = Infinity;
    for (const column of others) {
      used += column.least + gaps[1];
      if (used > limit) {
        parts.push([]);
        used = column.least + gaps[1];
      }
      parts.at(-1)!.push(column);
    }
    return parts;
  };
  const count = split(room).length;
  let [low, high] = [0, room];
  for (let i = 0; i < 20; i++) {
    const middle = (low + high) / 2;
    if (split(middle).length <= count) high = middle;
    else low = middle;
  }
  return split(high).map((part) => {
    const own = [first, ...part];
    return fitted(own, width) ?? squeezed(own, width);
  });
}

/** As wide as it takes for heads of few lines; undefined if the columns do not even fit at their least. */
function fitted(columns: readonly Column[], width: number): Part | undefined {
  for (const gap of gaps) {
    const room = width - gap * (columns.length - 1);
    for (const lines of [1, 2, 3]) {
      const widths = columns.map(({ head, wide, least }) => Math.max(wide, least, widthInLines(head, lines)));
      if (sum(widths) <= room) return { columns, widths, gap };
    }
  }
  const gap = gaps[1];
  const room = width - gap * (columns.length - 1);
  const least = sum(columns, (column) => column.least);
  if (least > room) return undefined;
  return { columns, widths: shared(columns, room - least), gap };
}

/** What is left goes to the columns of words, in equal parts; what lacks less than its part leaves the rest to the others. */
function shared(columns: readonly Column[], left: number): number[] {
  const lacks = columns.map(({ wide, least }) => Math.max(0, wide - least));
  const widths = columns.map(({ least }) => least);
  const order = [...lacks.keys()].filter((c) => lacks[c]! > 0).sort((a, b) => lacks[a]! - lacks[b]!);
  order.forEach((c, i) => {
    const own = Math.min(lacks[c]!, left / (order.length - i));
    widths[c]! += own;
    left -= own;
  });
  return widths;
}

/** Where not even two columns fit: the wider ones give way, and their words are broken. */
function squeezed(columns: readonly Column[], width: number): Part {
  const gap = gaps[1];
  const room = width - gap * (columns.length - 1);
  let [low, high] = [0, width];
  const total = (limit: number) => sum(columns, ({ least }) => Math.min(least, limit));
  for (let i = 0; i < 30; i++) {
    const middle = (low + high) / 2;
    if (total(middle) <= room) low = middle;
    else high = middle;
  }
  return { columns, widths: columns.map(({ least }) => Math.min(least, low)), gap };
}

/** How wide a head is that has at most so many lines. */
function widthInLines(head: string, lines: number): number {
  const words = head.split(' ');
  const ends = words.flatMap((_, from) => words.slice(from).map((_, i) => words.slice(from, from + i + 1).join(' ')));
  const widths = ends.map((text) => widthOf(text, true)).sort((a, b) => a - b);
  return widths.find((wide) => wrapped(head, wide, true).length <= lines) ?? 0;
}

/** Returns where it ends. */
function drawPart(sheet: Sheet, look: Look, { columns, widths, gap }: Part, count: number, top: number): number {
  const whole = sum(widths) + gap * (widths.length - 1);
  const rule = (y: number, thick: number) => sheet.line([0, y, whole, y], look.ink, { width: thick });
  const row = (texts: readonly string[], y: number, isBold: boolean): number => {
    const cells = texts.map((text, c) => wrapped(text, widths[c]! + 0.01, isBold));
    let x = 0;
    cells.forEach((lines, c) => {
      const [wide, { isNumber }] = [widths[c]!, columns[c]!];
      lines.forEach((line, i) => {
        const below = y + (i + 1) * lineHeight - 1;
        if (isNumber) sheet.text(line, x + wide, below, look.ink, { anchor: 'end', isBold });
        else sheet.text(line, x, below, look.ink, { isBold });
      });
      x += wide + gap;
    });
    return Math.max(0, ...cells.map((lines) => lines.length));
  };
  let y = top;
  rule(y, 0.8);
  const heads = row(
    columns.map(({ head }) => head),
    y,
    true,
  );
  if (heads > 0) rule((y += heads * lineHeight + 3), 0.5);
  for (let r = 0; r < count; r++) {
    const lines = row(
      columns.map(({ cells }) => cells[r]!),
      y,
      false,
    );
    // Where rows have several lines, a little room tells them apart.
    y += Math.max(1, lines) * lineHeight + (lines > 1 ? 2 : 0);
  }
  rule((y += 3), 0.8);
  return y;
}
