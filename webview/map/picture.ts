/** The map as it is seen, with its legend, as SVG and PNG. */
import { range } from 'd3-array';
import type { ExpertSet, Trace } from '../../src/trace/model/trace.js';
import { quiet } from '../../src/look/palette.js';
import { shortLabelOf } from '../look/looks.js';
import { plainName } from '../look/names.js';
import { t } from '../look/strings.js';
import { svg as s } from '../look/svg.js';
import { colourOf, css, type Theme } from '../look/theme.js';
import { tokenAt } from './columns.js';
import { labelFrom, windowOf, xOf, yOf, type Frame, type Window } from './geometry.js';
import { rowMark } from './gutters.js';
import { extentOf, paint } from './paint.js';
import { tint, type MapContent } from './content.js';
import { turn } from './model.js';
import { faded } from './tiles.js';
import { columnName, rowName, sayings } from './words.js';

const pad = 8;
/** The most characters shown of the tokens that a cell stands for. */
const longest = 40;

interface Entry {
  readonly x: number;
  readonly y: number;
  readonly fill: string;
  readonly ink: string;
  readonly letter: string;
  readonly name: string;
}

interface Legend {
  readonly entries: readonly Entry[];
  readonly height: number;
}

/** Where to put the entries of the experts that have a colour, on as many lines as the width requires; of a number, its scale. */
function legend({ content, set, scale }: Picture, width: number): Legend {
  const { looks, theme, hues } = content;
  if (hues) return { entries: scale === undefined ? [] : steps(content, scale), height: 24 };
  let [x, y] = [pad, 0];
  const slots = set ? looks(set).slots : [];
  const coloured = [...slots.keys()].filter((e) => slots[e] !== quiet);
  const entries = coloured.map((e): Entry => {
    const name = plainName(set!, e);
    const wide = 26 + name.length * 7;
    if (x + wide > width - pad && x > pad) [x, y] = [pad, y + 20];
    const entry = { x, y, ...colourOf(slots[e]!, theme), letter: shortLabelOf(set!, e), name };
    x += wide;
    return entry;
  });
  return { entries, height: y + 24 };
}

/** From the weakest colour to the strongest. */
const steps = (content: MapContent, scale: string): Entry[] =>
  range(5).map((i) => ({
    x: pad + 15 * i,
    y: 0,
    fill: css(tint(content, 0, i / 4)),
    ink: content.theme.foreground,
    letter: '',
    name: i === 4 ? scale : '',
  }));

/** A picture's parts: what is written above it, what is drawn, and the set that its colours belong to. */
export interface Picture {
  readonly title: string;
  readonly trace: Trace;
  readonly set: ExpertSet | undefined;
  readonly content: MapContent;
  readonly frame: Frame;
  /** If a number colours the cells: what it is, and the ends of its scale. */
  readonly scale?: string | undefined;
}

export function svgOf(picture: Picture): string {
  const { title, content, frame } = picture;
  const { theme, raster } = content;
  const { left, top } = frame.gutter;
  const { entries, height } = legend(picture, frame.width);
  const [width, whole] = [frame.width, frame.height + 28 + height];
  const view = windowOf(frame, extentOf(raster));
  const root = s(
    'svg',
    { xmlns: 'http://www.w3.org/2000/svg', width, height: whole, viewBox: `0 0 ${width} ${whole}`, role: 'img' },
    s('title', {}, title),
    s('rect', { width: '100%', height: '100%', fill: theme.background }),
    text(theme.foreground, pad, 18, title, { 'font-size': 13 }),
    ...entries.flatMap((entry) => entryOf(entry, theme)),
    s(
      'clipPath',
      { id: 'plot' },
      s('rect', {
        x: left,
        y: top,
        width: Math.max(0, frame.width - left),
        height: Math.max(0, frame.height - top),
      }),
    ),
    // A long token is cut off at the legend, as on the canvas.
    s('clipPath', { id: 'head' }, s('rect', { width, height: top })),
    s(
      'g',
      { transform: `translate(0 ${28 + height})` },
      s('g', { 'clip-path': 'url(#plot)', 'shape-rendering': 'crispEdges' }, ...cellsOf(picture, view)),
      ...besideRows(content, frame, view),
      s('g', { 'clip-path': 'url(#head)' }, ...aboveColumns(content, frame, view)),
    ),
  );
  return new XMLSerializer().serializeToString(root);
}

function text(fill: string, x: number, y: number, words: string, props: Record<string, string | number>): SVGElement {
  return s('text', { x, y, fill, 'font-size': 11, 'font-family': 'sans-serif', ...props }, words);
}

function entryOf({ x, y, fill, ink, letter, name }: Entry, theme: Theme): SVGElement[] {
  const middle = { 'dominant-baseline': 'central' };
  return [
    s('rect', { x, y: y + 28, width: 14, height: 14, rx: 2, fill }),
    text(ink, x + 7, y + 35, letter, { 'text-anchor': 'middle', ...middle, 'font-size': 10, 'font-weight': 600 }),
    text(theme.foreground, x + 18, y + 35, name, middle),
  ];
}

/** Neighbours that look the same and have the same words become one rectangle, so that a picture of a large map stays small. */
function cellsOf({ trace, content, frame }: Picture, view: Window): SVGElement[] {
  const { raster, labels } = content;
  const colourAt = colours(content);
  const says = sayings(content);
  const cells: SVGElement[] = [];
  for (let r = view.r0; r < view.r1; r++) {
    for (let c = view.c0; c < view.c1;) {
      const [fill, said] = [colourAt(r, c), says(r, c)];
      let end = c + 1;
      while (!raster.isTurned && end < view.c1 && colourAt(r, end) === fill && says(r, end) === said) end++;
      const at = turn(raster, { row: r, column: c });
      if (fill !== undefined) {
        const of = raster.isTurned ? t('lineOf', columnName(raster, at.column, labels)) : tokensFrom(content, c, end);
        const box = { x: round(xOf(frame, c)), y: round(yOf(frame, r)) };
        const size = { width: round((end - c) * frame.cell.width), height: round(frame.cell.height) };
        const name = s('title', {}, `${rowName(trace, raster.rows[at.row]!)}, ${of}: ${said}`);
        cells.push(s('rect', { ...box, ...size, fill }, name));
      }
      c = end;
    }
  }
  return cells;
}

function besideRows({ raster, labels, theme }: MapContent, frame: Frame, view: Window): SVGElement[] {
  const drawn: SVGElement[] = [];
  let shown = -Infinity;
  for (let r = view.r0; r < view.r1; r++) {
    const y = yOf(frame, r) + frame.cell.height / 2;
    if (y - shown < 12) continue;
    shown = y;
    const words = raster.isTurned ? labels[r]! : rowMark(raster.rows[r]!);
    const props = { 'text-anchor': 'end', 'dominant-baseline': 'central' };
    drawn.push(text(theme.faint, frame.gutter.left - 6, y, words, props));
  }
  return drawn;
}

function aboveColumns({ raster, labels, theme }: MapContent, frame: Frame, view: Window): SVGElement[] {
  if (frame.cell.width < labelFrom) return [];
  return range(view.c0, view.c1).map((c) => {
    const x = round(xOf(frame, c) + frame.cell.width / 2);
    return text(theme.faint, 0, 0, raster.isTurned ? rowMark(raster.rows[c]!) : labels[c]!, {
      transform: `translate(${x} ${frame.gutter.top - 4}) rotate(-90)`,
      'dominant-baseline': 'central',
      'font-family': 'monospace',
      'font-size': 10,
    });
  });
}

/** Names the tokens of adjacent columns in one text. */
function tokensFrom({ raster: { columns }, labels }: MapContent, from: number, end: number): string {
  const first = tokenAt(columns, from)!.token + 1;
  const words = labels.slice(from, end).join('');
  const shown = words.length > longest ? `${words.slice(0, longest)}…` : words;
  return end - from === 1 ? t('pictureToken', first, shown) : t('pictureTokens', first, first + end - from - 1, shown);
}

function colours(content: MapContent): (down: number, across: number) => string | undefined {
  const { tone, strength, stays, columns } = content.cells;
  return (down, across) => {
    const cell = down * columns + across;
    if (tone[cell]! < quiet) return undefined;
    // In the same steps as on the canvas, so that neighbours can have the same colour.
    return css(tint(content, tone[cell]!, Math.round(strength[cell]! * 16) / 16, stays[cell] ? faded : 1));
  };
}

const round = (n: number): number => Math.round(n * 100) / 100;

export async function pngOf(picture: Picture): Promise<ArrayBuffer> {
  const { title, content, frame } = picture;
  const { theme } = content;
  const { entries, height } = legend(picture, frame.width);
  const top = 28 + height;
  const { ratio } = frame;
  const grid = new OffscreenCanvas(Math.ceil(frame.width * ratio), Math.ceil(frame.height * ratio));
  paint(grid.getContext('2d')!, content, { ...frame, ratio });
  const canvas = new OffscreenCanvas(grid.width, Math.ceil((frame.height + top) * ratio));
  const c = canvas.getContext('2d')!;
  c.scale(ratio, ratio);
  c.fillStyle = theme.background;
  c.fillRect(0, 0, frame.width, frame.height + top);
  c.fillStyle = theme.foreground;
  c.font = `13px ${theme.font}`;
  c.fillText(title, pad, 18);
  c.textBaseline = 'middle';
  for (const { x, y, fill, ink, letter, name } of entries) {
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
