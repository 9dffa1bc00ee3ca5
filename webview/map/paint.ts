/** Draws a raster to a canvas. Cells are painted once into tiles, one pixel each; a frame then only scales what is in view. */
import type { ExpertSet } from '../../src/trace/model/trace.js';
import { shortLabelOf } from '../look/looks.js';
import { css, inkOver, mix, type Theme } from '../look/theme.js';
import { stepFor } from './cells.js';
import { sequencesOf } from './columns.js';
import { windowOf, xOf, yOf, type Area, type Extent, type Frame, type Place, type Window } from './geometry.js';
import { layerKey } from '../../src/trace/model/shownExperts.js';
import { axes, gutters } from './gutters.js';
import { divide, lineGutters, ofLines } from './lineGutters.js';
import { turn, type Raster } from './model.js';
import { tint, type Drawing, type MapContent } from './content.js';
import { drawTiles } from './tiles.js';
import { axisTitles } from './words.js';

export const extentOf = ({ rows, columns, isTurned }: Raster): Extent =>
  isTurned
    ? { rows: columns.count, columns: rows.length, gutters: ofLines(rows) }
    : { rows: rows.length, columns: columns.count };

export function paint(context: Drawing, content: MapContent, frame: Frame): void {
  const { raster, theme } = content;
  const { cell, ratio } = frame;
  const view = windowOf(frame, extentOf(raster));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = theme.background;
  context.fillRect(0, 0, frame.width, frame.height);

  const step = stepFor(cell);
  drawTiles(context, content.tilesFor(step), step, frame, view);

  if (cell.width >= 5 && cell.height >= 5) gaps(context, theme, frame, view);
  layerLines(context, theme, frame, view, raster);
  if (cell.width >= 11 && cell.height >= 11 && !content.hues) shortLabels(context, content, frame, view);
  if (raster.changed && cell.width >= 5 && cell.height >= 5) corners(context, raster, theme, frame, view);
  if (raster.isTurned) {
    divide(context, theme, raster, frame);
    lineGutters(context, content, frame, view);
  } else gutters(context, content, frame, view);
  const { text, model } = axisTitles(raster);
  const [down, across] = raster.isTurned ? [text, model] : [model, text];
  axes(context, content, frame, down, across);
}

function gaps(context: Drawing, theme: Theme, frame: Frame, view: Window): void {
  context.fillStyle = theme.background;
  const bottom = yOf(frame, view.r1);
  const right = xOf(frame, view.c1);
  for (let t = view.c0; t <= view.c1; t++)
    context.fillRect(xOf(frame, t) - 0.5, frame.gutter.top, 1, bottom - frame.gutter.top);
  for (let r = view.r0; r <= view.r1; r++)
    context.fillRect(frame.gutter.left, yOf(frame, r) - 0.5, right - frame.gutter.left, 1);
}

/** Lines between layers, where modules have rows of their own. */
function layerLines(context: Drawing, theme: Theme, frame: Frame, view: Window, { rows, isTurned }: Raster): void {
  if ((isTurned ? frame.cell.width : frame.cell.height) < 3) return;
  context.fillStyle = theme.line;
  const { left, top } = frame.gutter;
  const [right, bottom] = [xOf(frame, view.c1), yOf(frame, view.r1)];
  for (let r = Math.max(1, isTurned ? view.c0 : view.r0); r < (isTurned ? view.c1 : view.r1); r++) {
    const [above, row] = [rows[r - 1]!, rows[r]!];
    if (layerKey(above) === layerKey(row) || (above.module < 0 && row.module < 0)) continue;
    if (isTurned) context.fillRect(Math.round(xOf(frame, r)) - 0.5, top, 1, bottom - top);
    else context.fillRect(left, Math.round(yOf(frame, r)) - 0.5, right - left, 1);
  }
}

/** Each short label is drawn once and then copied: thousands of fillText calls would cost frames. */
function shortLabels(context: Drawing, content: MapContent, frame: Frame, view: Window): void {
  const { raster, theme } = content;
  const { rows, columns } = raster;
  // All cells or none: those of an expert with a shorter label would stand out otherwise.
  const sets = new Set(rows.flatMap(({ parts }) => parts.flatMap((part) => part?.set ?? [])));
  if (frame.cell.width < roomFor(Math.max(0, ...[...sets].map(longest)))) return;
  const atlas = labelAtlas(theme, frame.cell, frame.ratio);
  const inks = new Map<number, string>();
  const inkAt = (at: number): string => {
    const { tone, strength, stays } = content.cells;
    if (stays[at]) return theme.foreground;
    const level = Math.round(strength[at]! * 16);
    const key = tone[at]! * 17 + level;
    let ink = inks.get(key);
    if (ink === undefined) inks.set(key, (ink = inkOver(tint(content, tone[at]!, level / 16))));
    return ink;
  };
  const sequenceOf = sequencesOf(columns);
  context.imageSmoothingEnabled = true;
  for (let down = view.r0; down < view.r1; down++) {
    const y = yOf(frame, down) + (frame.cell.height - atlas.height) / 2;
    for (let across = view.c0; across < view.c1; across++) {
      const { row, column } = turn(raster, { row: down, column: across });
      const set = rows[row]!.parts[sequenceOf[column]!]?.set;
      const cell = row * columns.count + column;
      const e = raster.expert[cell]!;
      if (e < 0 || !set) continue;
      const x = xOf(frame, across) + (frame.cell.width - atlas.width) / 2;
      const shortLabel = shortLabelOf(set, e);
      const ink = inkAt(down * content.cells.columns + across);
      context.drawImage(atlas.of(shortLabel, ink), x, y, atlas.width, atlas.height);
    }
  }
}

interface Atlas {
  readonly width: number;
  readonly height: number;
  of(shortLabel: string, ink: string): OffscreenCanvas;
}

let atlasKept: { key: string; atlas: Atlas } | undefined;

/** How wide a cell must be for a short label of so many letters to be readable, in pixels. */
const roomFor = (letters: number): number => 6.5 * letters + 4;

const lengths = new WeakMap<ExpertSet, number>();

/** Letters of the longest short label. */
function longest(set: ExpertSet): number {
  let most = lengths.get(set);
  if (most === undefined) {
    most = Math.max(...set.experts.map((_, e) => shortLabelOf(set, e).length));
    lengths.set(set, most);
  }
  return most;
}

function labelAtlas(theme: Theme, cell: Frame['cell'], ratio: number): Atlas {
  const size = Math.min(12, cell.width - 3, cell.height - 3);
  // With a gap, so that the labels of neighbours do not read as one.
  const width = Math.floor(Math.min(cell.width - 4, 3 * size));
  const key = `${theme.font} ${size} ${width} ${ratio}`;
  if (atlasKept?.key === key) return atlasKept.atlas;
  const made = new Map<string, OffscreenCanvas>();
  const height = Math.ceil(size) + 2;
  const atlas: Atlas = {
    width,
    height,
    of(shortLabel, ink) {
      const name = `${shortLabel} ${ink}`;
      let glyph = made.get(name);
      if (!glyph) {
        made.set(name, (glyph = new OffscreenCanvas(Math.ceil(width * ratio), Math.ceil(height * ratio))));
        const g = glyph.getContext('2d')!;
        g.scale(ratio, ratio);
        g.font = `600 ${size}px ${theme.font}`;
        g.textAlign = 'center';
        g.textBaseline = 'middle';
        g.fillStyle = ink;
        g.fillText(shortLabel, width / 2, height / 2 + 0.5, width);
      }
      return glyph;
    },
  };
  atlasKept = { key, atlas };
  return atlas;
}

/** A corner on each cell that a what-if changed, visible without colour; its area grows with the share of the cell's choices that changed. */
function corners(context: Drawing, raster: Raster, theme: Theme, frame: Frame, view: Window): void {
  context.fillStyle = theme.foreground;
  const largest = Math.min(8, frame.cell.width * 0.6, frame.cell.height * 0.6);
  context.beginPath();
  for (let down = view.r0; down < view.r1; down++) {
    for (let across = view.c0; across < view.c1; across++) {
      const { row, column } = turn(raster, { row: down, column: across });
      const changed = raster.changed![row * raster.columns.count + column]!;
      if (!(changed > 0)) continue;
      const size = largest * Math.sqrt(changed);
      const x = xOf(frame, across + 1) - 0.5;
      const y = yOf(frame, down) + 0.5;
      context.moveTo(x - size, y);
      context.lineTo(x, y);
      context.lineTo(x, y + size);
      context.closePath();
    }
  }
  context.fill();
}

/** Fades what is outside the scope. */
function veil(context: Drawing, theme: Theme, frame: Frame, extent: Extent, beyond: Uint8Array): void {
  const { left, top } = frame.gutter;
  const { columns, rows } = extent;
  // With lines, the text runs down.
  const isDown = extent.gutters !== undefined;
  const [right, bottom] = [xOf(frame, columns), yOf(frame, rows)];
  context.fillStyle = theme.background;
  context.globalAlpha = 0.72;
  for (let from = 0; from < beyond.length;) {
    let to = from + 1;
    while (to < beyond.length && beyond[to] === beyond[from]) to++;
    if (beyond[from]) {
      const [start, end] = isDown ? [yOf(frame, from), yOf(frame, to)] : [xOf(frame, from), xOf(frame, to)];
      if (isDown) context.fillRect(left, Math.max(top, start), right - left, end - Math.max(top, start));
      else context.fillRect(Math.max(left, start), top, end - Math.max(left, start), bottom - top);
    }
    from = to;
  }
  context.globalAlpha = 1;
}

/**
 * Lines through the cell under the pointer and around the selected token and row, on a canvas of their own.
 * @param inEditor the rows that are visible in the editor too
 * @param beyond [columns, or rows where these are the text] 1 for what is outside the scope
 * @param textRows without the empty rows at the end
 */
export function paintOver(
  context: CanvasRenderingContext2D,
  theme: Theme,
  frame: Frame,
  extent: Extent,
  selected: Area,
  pointer: Place | undefined,
  inEditor?: { readonly from: number; readonly to: number },
  beyond?: Uint8Array,
  textRows = extent.rows,
): void {
  context.setTransform(frame.ratio, 0, 0, frame.ratio, 0, 0);
  context.clearRect(0, 0, frame.width, frame.height);
  const { left, top } = frame.gutter;
  const { columns, rows } = extent;
  const right = Math.min(frame.width, xOf(frame, columns));
  const bottom = Math.min(frame.height, yOf(frame, rows));
  const textEnd = Math.min(bottom, yOf(frame, Math.max(textRows, selected.row + 1)));
  context.save();
  context.beginPath();
  context.rect(0, 0, frame.width, frame.height);
  context.clip();
  if (beyond) veil(context, theme, frame, extent, beyond);
  if (inEditor) {
    context.fillStyle = theme.focus;
    const from = Math.max(top, yOf(frame, inEditor.from));
    context.fillRect(0, from, 3, yOf(frame, inEditor.to) - from);
  }
  if (pointer) {
    context.fillStyle = css(mix(theme.background, theme.foreground, 0.5));
    context.globalAlpha = 0.7;
    const x = xOf(frame, pointer.column);
    const y = yOf(frame, pointer.row);
    if (pointer.column >= 0)
      for (const at of [x, x + frame.cell.width]) if (at >= left) context.fillRect(at - 0.5, top, 1, bottom - top);
    if (pointer.row >= 0)
      for (const at of [y, y + frame.cell.height]) if (at >= top) context.fillRect(left, at - 0.5, right - left, 1);
    context.globalAlpha = 1;
  }
  context.strokeStyle = theme.focus;
  context.lineWidth = 1.5;
  context.beginPath();
  context.rect(left - 1, top - 1, frame.width, frame.height);
  context.clip();
  if (selected.column >= 0)
    context.strokeRect(
      xOf(frame, selected.column) - 0.5,
      top - 2,
      Math.max(2, selected.columns * frame.cell.width) + 1,
      textEnd - top + 4,
    );
  if (selected.row >= 0)
    context.strokeRect(
      left - 2,
      yOf(frame, selected.row) - 0.5,
      right - left + 4,
      Math.max(2, selected.rows * frame.cell.height) + 1,
    );
  context.restore();
}
