/** The map with its legend, as SVG and PNG. */
import type { ExpertSet, Trace } from '../../src/trace/model/trace.js';
import { quiet } from '../../src/look/palette.js';
import { signOf } from '../look/looks.js';
import { expertName, plainName } from '../look/names.js';
import { t } from '../look/strings.js';
import { colourOf, css } from '../look/theme.js';
import { sequencesOf, tokenAt } from './columns.js';
import { labelFrom, windowOf, xOf, yOf, type Frame } from './geometry.js';
import { layerMark } from './gutters.js';
import { extentOf, paint, tint, toneAt, type Paper } from './paint.js';
import { turn, type Row } from './model.js';
import { svg as s } from './svg.js';
import { cellWords, columnName, differs, measureAt, rowName } from './words.js';

const pad = 8;
/** Characters of the tokens that a cell is of. */
const longest = 40;

interface Entry {
  readonly x: number;
  readonly y: number;
  readonly slot: number;
  readonly letter: string;
  readonly name: string;
}

/** Where the entries of the experts that have a colour go: as many lines as the width asks for. */
function legend({ looks }: Paper, set: ExpertSet | undefined, width: number): { entries: Entry[]; height: number } {
  let [x, y] = [pad, 0];
  const slots = set ? looks(set).slots : [];
  const coloured = [...slots.keys()].filter((e) => slots[e] !== quiet);
  const entries = coloured.map((e): Entry => {
    const name = plainName(set!, e);
    const wide = 26 + name.length * 7;
    if (x + wide > width - pad && x > pad) [x, y] = [pad, y + 20];
    const entry = { x, y, slot: slots[e]!, letter: signOf(set!, e), name };
    x += wide;
    return entry;
  });
  return { entries, height: y + 24 };
}

/** A picture's parts: what stands above it, and which set its colours are of. */
export interface Picture {
  readonly title: string;
  readonly trace: Trace;
  readonly set: ExpertSet | undefined;
  readonly paper: Paper;
  readonly frame: Frame;
}

export function svgOf({ title, trace, set, paper, frame }: Picture): string {
  const { theme, raster, labels } = paper;
  const { entries, height } = legend(paper, set, frame.width);
  const colourAt = colours(paper);
  const says = sayings(paper);
  const top = 28 + height;
  const view = windowOf(frame, extentOf(raster));
  const text = (x: number, y: number, words: string, props: Record<string, string | number> = {}) =>
    s('text', { x, y, fill: theme.faint, 'font-size': 11, 'font-family': 'sans-serif', ...props }, words);

  const cells: SVGElement[] = [];
  for (let r = view.r0; r < view.r1; r++) {
    for (let c = view.c0; c < view.c1;) {
      const [colour, said] = [colourAt(r, c), says(r, c)];
      let end = c + 1;
      // Neighbours of which the same is to be seen and said are one rectangle: a picture of a large grid stays small.
      while (!raster.isTurned && end < view.c1 && colourAt(r, end) === colour && says(r, end) === said) end++;
      const at = turn(raster, { row: r, column: c });
      const of = () =>
        raster.isTurned ? t('lineOf', columnName(raster, at.column, labels)) : tokensFrom(paper, c, end);
      if (colour !== undefined)
        cells.push(
          s(
            'rect',
            {
              x: round(xOf(frame, c)),
              y: round(yOf(frame, r)),
              width: round((end - c) * frame.cell.width),
              height: round(frame.cell.height),
              fill: colour,
            },
            s('title', {}, `${rowName(trace, raster.rows[at.row]!)}, ${of()}: ${said}`),
          ),
        );
      c = end;
    }
  }
  const rowLabels: SVGElement[] = [];
  let shown = -Infinity;
  for (let r = view.r0; r < view.r1; r++) {
    const y = yOf(frame, r) + frame.cell.height / 2;
    if (y - shown < 12) continue;
    shown = y;
    rowLabels.push(
      text(frame.gutter.left - 6, y, raster.isTurned ? labels[r]! : markOf(raster.rows[r]!), {
        'text-anchor': 'end',
        'dominant-baseline': 'central',
      }),
    );
  }
  const tokenLabels: SVGElement[] = [];
  if (frame.cell.width >= labelFrom) {
    for (let c = view.c0; c < view.c1; c++) {
      const x = round(xOf(frame, c) + frame.cell.width / 2);
      tokenLabels.push(
        text(0, 0, raster.isTurned ? markOf(raster.rows[c]!) : labels[c]!, {
          transform: `translate(${x} ${frame.gutter.top - 4}) rotate(-90)`,
          'dominant-baseline': 'central',
          'font-family': 'monospace',
          'font-size': 10,
        }),
      );
    }
  }
  const root = s(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      width: frame.width,
      height: frame.height + top,
      viewBox: `0 0 ${frame.width} ${frame.height + top}`,
      role: 'img',
    },
    s('title', {}, title),
    s('rect', { width: '100%', height: '100%', fill: theme.background }),
    text(pad, 18, title, { fill: theme.foreground, 'font-size': 13 }),
    ...entries.flatMap(({ x, y, slot, letter, name }) => {
      const { fill, ink } = colourOf(slot, theme);
      return [
        s('rect', { x, y: y + 28, width: 14, height: 14, rx: 2, fill }),
        text(x + 7, y + 35, letter, {
          fill: ink,
          'text-anchor': 'middle',
          'dominant-baseline': 'central',
          'font-size': 10,
          'font-weight': 600,
        }),
        text(x + 18, y + 35, name, { 'dominant-baseline': 'central', fill: theme.foreground }),
      ];
    }),
    s(
      'clipPath',
      { id: 'plot' },
      s('rect', {
        x: frame.gutter.left,
        y: frame.gutter.top,
        width: Math.max(0, frame.width - frame.gutter.left),
        height: Math.max(0, frame.height - frame.gutter.top),
      }),
    ),
    // A long token ends where the legend is, as on the canvas.
    s('clipPath', { id: 'head' }, s('rect', { width: frame.width, height: frame.gutter.top })),
    s(
      'g',
      { transform: `translate(0 ${top})` },
      s('g', { 'clip-path': 'url(#plot)', 'shape-rendering': 'crispEdges' }, ...cells),
      ...rowLabels,
      s('g', { 'clip-path': 'url(#head)' }, ...tokenLabels),
    ),
  );
  return new XMLSerializer().serializeToString(root);
}

const markOf = (row: Row): string =>
  row.expert !== undefined
    ? signOf(row.parts.find((part) => part !== undefined)!.set, row.expert)
    : row.site >= 0
      ? `${layerMark(row)} ${row.kind}`
      : layerMark(row);

/** What is said of a cell, by its place on the screen, beside which tokens it is of. */
function sayings({ raster, hues }: Paper): (down: number, across: number) => string {
  const { rows, columns, expert, isTurned } = raster;
  const sequenceOf = sequencesOf(columns);
  return (down, across) => {
    const { row, column } = turn(raster, { row: down, column: across });
    if (isTurned) return cellWords(raster, { row, column });
    const set = rows[row]!.parts[sequenceOf[column]!]?.set;
    const e = expert[row * columns.count + column]!;
    if (e < 0 || !set) return '';
    if (raster.measured) return measureAt(raster, row * columns.count + column);
    return hues ? differs(raster, { row, column }) : expertName(set, e, rows[row]!);
  };
}

/** Of columns next to each other, in one text: which tokens they are. */
function tokensFrom({ raster: { columns }, labels }: Paper, from: number, end: number): string {
  const first = tokenAt(columns, from)!.token + 1;
  const words = labels.slice(from, end).join('');
  const shown = words.length > longest ? `${words.slice(0, longest)}…` : words;
  return end - from === 1 ? t('pictureToken', first, shown) : t('pictureTokens', first, first + end - from - 1, shown);
}

function colours(paper: Paper): (row: number, column: number) => string | undefined {
  const { raster } = paper;
  const toneOf = toneAt(paper);
  return (down, across) => {
    const { row, column } = turn(raster, { row: down, column: across });
    const cell = row * raster.columns.count + column;
    if (raster.expert[cell]! < 0) return undefined;
    // Steps as on the canvas, so that neighbours do meet in one colour.
    const strength = Math.round(raster.strength[cell]! * 16) / 16;
    return css(tint(paper, toneOf(row, column), strength));
  };
}

const round = (n: number): number => Math.round(n * 100) / 100;

export async function pngOf({ title, set, paper, frame }: Picture): Promise<ArrayBuffer> {
  const { theme } = paper;
  const { entries, height } = legend(paper, set, frame.width);
  const top = 28 + height;
  const { ratio } = frame;
  const grid = new OffscreenCanvas(Math.ceil(frame.width * ratio), Math.ceil(frame.height * ratio));
  paint(grid.getContext('2d')!, paper, { ...frame, ratio });
  const canvas = new OffscreenCanvas(grid.width, Math.ceil((frame.height + top) * ratio));
  const c = canvas.getContext('2d')!;
  c.scale(ratio, ratio);
  c.fillStyle = theme.background;
  c.fillRect(0, 0, frame.width, frame.height + top);
  c.fillStyle = theme.foreground;
  c.font = `13px ${theme.font}`;
  c.fillText(title, pad, 18);
  c.textBaseline = 'middle';
  for (const { x, y, slot, letter, name } of entries) {
    const { fill, ink } = colourOf(slot, theme);
    c.fillStyle = fill;
    c.fillRect(x, y + 28, 14, 14);
    c.fillStyle = ink;
    c.font = `600 10px ${theme.font}`;
    c.textAlign = 'center';
    c.fillText(letter, x + 7, y + 35.5);
    c.fillStyle = theme.foreground;
    c.font = `11px ${theme.font}`;
    c.textAlign = 'left';
    c.fillText(name, x + 18, y + 35.5);
  }
  c.drawImage(grid, 0, top, frame.width, frame.height);
  const blob = await canvas.convertToBlob({ type: 'image/png' });
  return blob.arrayBuffer();
}
