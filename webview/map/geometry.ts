/** Where cells are on the screen, and how zooming and scrolling change that. CSS pixels. Pure. */
import type { Zoom } from '../store/state.js';

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Room at the left of the cells and, depending on how wide they are, above them. */
export interface Gutters {
  readonly left: number;
  readonly top: (cellWidth: number) => number;
}

/** How many columns and rows there are. */
export interface Extent {
  readonly columns: number;
  readonly rows: number;
  /** Default: those of a grid of tokens. */
  readonly gutters?: Gutters;
}

/** A cell's position; −1: none. */
export interface Place {
  readonly column: number;
  readonly row: number;
}

/** Cells next to each other, from the first on. */
export interface Area extends Place {
  readonly columns: number;
  readonly rows: number;
}

export interface Frame extends Size {
  /** Device pixels per CSS pixel. */
  readonly ratio: number;
  readonly gutter: { readonly left: number; readonly top: number };
  readonly cell: Size;
  /** How far the content is scrolled. */
  readonly scroll: Point;
}

export interface Window {
  readonly c0: number;
  readonly c1: number;
  readonly r0: number;
  readonly r1: number;
}

const largest = { width: 30, height: 32 };
const smallest = 0.05;
/** Of a row, before the user zooms. */
const lowestRow = 4;
/** Cells at least this wide have room for a token's text above them. */
export const labelFrom = 10;

/** Cells with room for the token's text above them and an expert's short label inside. */
export const readable: Size = { width: 14, height: 14 };

export const ofTokens: Gutters = { left: 62, top: (width) => (width >= labelFrom ? 58 : 18) };

/** Of a column that has room beside all others. */
const narrowest = 1.25;
/** Of a row of tokens, and of a line, before the user zooms. */
const highest = { row: 32, line: 20 };

/** Before the user zooms: everything at once, as long as cells can be seen. */
export function comfortable({ width, height }: Size, { columns, rows, gutters = ofTokens }: Extent): Size {
  const even = (width - gutters.left - 2) / Math.max(1, columns);
  const wide = Math.min(22, even < narrowest ? 2.5 : even);
  const room = height - gutters.top(wide) - 6;
  return { width: wide, height: Math.min(highest.row, Math.max(lowestRow, room / Math.max(1, rows))) };
}

/** A grid's rows can be told apart in this height, with the tokens' labels above; a long one's scroll. */
export function leastHeight(rows: number): number {
  return Math.min(180, 60 + lowestRow * rows);
}

/** The same for lines, which are as high as in the editor. */
export function besideEditor({ width }: Size, { columns, gutters = ofTokens }: Extent, lineHeight: number): Size {
  return { width: Math.min(30, Math.max(4, (width - gutters.left - 2) / Math.max(1, columns))), height: lineHeight };
}

/** Everything at once, however small. */
export function fitted(size: Size, extent: Extent): Zoom {
  const { columns, rows, gutters = ofTokens } = extent;
  // Labels above the cells take more room than numbers, and the cells' width decides which are shown: so it comes first.
  const width = Math.min(22, (size.width - gutters.left - 2) / columns);
  const most = extent.gutters ? highest.line : highest.row;
  const height = Math.min(most, (size.height - gutters.top(width) - 2) / Math.max(1, rows));
  return { width, height, token: 0, row: 0 };
}

/** Size of all cells, with the gutters at their left and above. */
export function contentSize(cell: Size, extent: Extent): Size {
  const { left, top } = gutterOf(cell, extent);
  return { width: left + extent.columns * cell.width, height: Math.max(0, top + extent.rows * cell.height) };
}

export function gutterOf(cell: Size, { gutters = ofTokens }: Extent): Frame['gutter'] {
  return { left: gutters.left, top: gutters.top(cell.width) };
}

/** The cells in view; the ends are past the last. */
export function windowOf(frame: Frame, { columns, rows }: Extent): Window {
  const { cell, scroll, gutter } = frame;
  return {
    c0: Math.max(0, Math.floor(scroll.x / cell.width)),
    c1: Math.min(columns, Math.ceil((scroll.x + frame.width - gutter.left) / cell.width)),
    r0: Math.max(0, Math.floor(scroll.y / cell.height)),
    r1: Math.min(rows, Math.ceil((scroll.y + frame.height - gutter.top) / cell.height)),
  };
}

export const xOf = (frame: Frame, column: number): number =>
  frame.gutter.left + column * frame.cell.width - frame.scroll.x;
export const yOf = (frame: Frame, row: number): number => frame.gutter.top + row * frame.cell.height - frame.scroll.y;

/** Where the middle of a text goes that belongs to x: beside it at an edge of what scrolls, as half a number is another number. */
export function middleOf(x: number, wide: number, { gutter, width }: Pick<Frame, 'gutter' | 'width'>): number {
  return Math.max(gutter.left + wide / 2, Math.min(x, width - wide / 2 - 1));
}

export type Hit =
  | { readonly on: 'cell'; readonly column: number; readonly row: number }
  | { readonly on: 'gutter'; readonly row: number }
  | { readonly on: 'head'; readonly column: number };

/** What lies under a point of the frame. */
export function hit(frame: Frame, { x, y }: Point, { columns, rows }: Extent): Hit | undefined {
  const { gutter, cell, scroll } = frame;
  const row = y < gutter.top ? -1 : Math.floor((y - gutter.top + scroll.y) / cell.height);
  const column = x < gutter.left ? -1 : Math.floor((x - gutter.left + scroll.x) / cell.width);
  if (row >= rows || column >= columns || (row < 0 && column < 0)) return undefined;
  if (row < 0) return { on: 'head', column };
  return column < 0 ? { on: 'gutter', row } : { on: 'cell', column, row };
}

/** Cell sizes after zooming, and the scroll position that leaves the anchor where it is. @param anchor default: the middle */
export function zoomed(
  frame: Frame,
  wanted: Size,
  anchor?: Point,
  { top }: Gutters = ofTokens,
): { zoom: Zoom; scroll: Point } {
  const { gutter, cell, scroll } = frame;
  const at = anchor ?? {
    x: gutter.left + (frame.width - gutter.left) / 2,
    y: gutter.top + (frame.height - gutter.top) / 2,
  };
  const column = (at.x - gutter.left + scroll.x) / cell.width;
  const row = (at.y - gutter.top + scroll.y) / cell.height;
  const clamp = (n: number, most: number) => Math.min(most, Math.max(smallest, n));
  const width = clamp(wanted.width, largest.width);
  const height = clamp(wanted.height, largest.height);
  return {
    zoom: { width, height, token: scroll.x / cell.width, row: scroll.y / cell.height },
    scroll: { x: column * width - (at.x - gutter.left), y: row * height - (at.y - top(width)) },
  };
}

/** The least scrolling that brings a cell into view. @param inner size without scroll bars */
export function revealed(frame: Frame, inner: Size, { column, row }: Place): Point {
  const along = (at: number, cell: number, from: number, room: number): number => {
    if (at < 0) return from;
    const low = at * cell;
    return low < from ? low : Math.max(from, low + cell - room);
  };
  return {
    x: along(column, frame.cell.width, frame.scroll.x, inner.width - frame.gutter.left),
    y: along(row, frame.cell.height, frame.scroll.y, inner.height - frame.gutter.top),
  };
}

/**
 * Where to put a box of some size beside a cell: on the side that has room, and never over the cell. If neither its left nor its
 * right has room, the box is below or above the cell, out of the frame if need be.
 *
 * @param room from where to where the frame's surroundings go, in the frame's y; default: the frame alone
 */
export function beside(
  frame: Frame,
  { column, row }: Place,
  box: Size,
  room: { readonly from: number; readonly to: number } = { from: 0, to: frame.height },
): Point {
  const [left, right] = [xOf(frame, column) - box.width - 8, xOf(frame, column + 1) + 8];
  const [above, below] = [yOf(frame, row) - box.height - 6, yOf(frame, row + 1) + 6];
  const fitsBelow = below + box.height <= frame.height;
  const fitsRight = right + box.width <= frame.width;
  if (fitsRight || left >= 0) return { x: fitsRight ? right : left, y: fitsBelow ? below : Math.max(0, above) };
  const x = Math.max(0, Math.min(right, frame.width - box.width));
  const isBelow = fitsBelow || (above < 0 && room.to - (below + box.height) >= Math.min(0, above - room.from));
  return { x, y: isBelow ? below : above };
}
