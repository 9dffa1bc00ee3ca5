/** Draws a raster to a canvas. One pixel a cell is painted once into tiles; a frame then only scales what is in view. */
import { look, channels, colourOf, css, mix, type Theme } from './theme.js';
import { hidden, nothing, type Raster, type Row } from './raster.js';

/** Tokens a tile: far below every canvas limit. */
const tileTokens = 4096;
const levels = 16;

export interface Paper {
  readonly raster: Raster;
  readonly theme: Theme;
  readonly tiles: readonly OffscreenCanvas[];
  /** Colours are one hue by strength, not experts. */
  readonly difference: boolean;
}

export interface PaperOptions {
  readonly experts: number;
  readonly difference: boolean;
  /** Choices that a what-if did not change are faded. */
  readonly fade: boolean;
}

/** What stands between a cell's colour and the background: even the weakest choice must be told from none. */
const weakest = 0.3;
const faded = 0.08;

export function shade(theme: Theme, expert: number, strength: number, fade = 1): [number, number, number] {
  const floor = theme.highContrast ? 0.55 : weakest;
  return mix(theme.background, colourOf(expert, theme).fill, (floor + (1 - floor) * strength) * fade);
}

function word([r, g, b]: readonly [number, number, number]): number {
  return (255 << 24) | (b << 16) | (g << 8) | r; // little-endian RGBA
}

export function makePaper(raster: Raster, theme: Theme, { experts, difference, fade }: PaperOptions): Paper {
  const { rows, tokens } = raster;
  // [expert, level, faded] as packed pixels.
  const table = new Uint32Array(experts * (levels + 1) * 2);
  for (let e = 0; e < experts; e++) {
    for (let level = 0; level <= levels; level++) {
      const at = (e * (levels + 1) + level) * 2;
      if (difference)
        table[at] = table[at + 1] = word(mix(theme.background, theme.difference, 0.06 + 0.94 * (level / levels)));
      else
        [table[at], table[at + 1]] = [
          word(shade(theme, e, level / levels)),
          word(shade(theme, e, level / levels, faded / weakest)),
        ];
    }
  }
  const empty = word(channels(theme.background));
  const off = word(mix(theme.background, theme.foreground, 0.06));
  const tiles: OffscreenCanvas[] = [];
  for (let from = 0; from < tokens && rows.length > 0; from += tileTokens) {
    const width = Math.min(tileTokens, tokens - from);
    const image = new ImageData(width, rows.length);
    const pixels = new Uint32Array(image.data.buffer);
    for (let r = 0; r < rows.length; r++) {
      for (let i = 0; i < width; i++) {
        const cell = r * tokens + from + i;
        const e = raster.expert[cell]!;
        const stays = fade && raster.changed?.[cell] === 0 ? 1 : 0;
        pixels[r * width + i] =
          e === nothing
            ? empty
            : e === hidden
              ? off
              : table[(e * (levels + 1) + Math.round(raster.strength[cell]! * levels)) * 2 + stays]!;
      }
    }
    const tile = new OffscreenCanvas(width, rows.length);
    tile.getContext('2d')!.putImageData(image, 0, 0);
    tiles.push(tile);
  }
  return { raster, theme, tiles, difference };
}

export interface Frame {
  /** CSS pixels. */
  readonly width: number;
  readonly height: number;
  readonly ratio: number;
  readonly gutter: { readonly left: number; readonly top: number };
  readonly cell: { readonly width: number; readonly height: number };
  /** How far the content is scrolled. */
  readonly scroll: { readonly x: number; readonly y: number };
  readonly labels: readonly string[];
}

export interface Window {
  readonly t0: number;
  readonly t1: number;
  readonly r0: number;
  readonly r1: number;
}

/** The cells in view; the ends are past the last. */
export function windowOf(frame: Frame, raster: Raster): Window {
  const { cell, scroll, gutter } = frame;
  return {
    t0: Math.max(0, Math.floor(scroll.x / cell.width)),
    t1: Math.min(raster.tokens, Math.ceil((scroll.x + frame.width - gutter.left) / cell.width)),
    r0: Math.max(0, Math.floor(scroll.y / cell.height)),
    r1: Math.min(raster.rows.length, Math.ceil((scroll.y + frame.height - gutter.top) / cell.height)),
  };
}

export const xOf = (frame: Frame, t: number): number => frame.gutter.left + t * frame.cell.width - frame.scroll.x;
export const yOf = (frame: Frame, r: number): number => frame.gutter.top + r * frame.cell.height - frame.scroll.y;

export function paint(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  paper: Paper,
  frame: Frame,
): void {
  const { raster, theme } = paper;
  const { cell, ratio } = frame;
  const view = windowOf(frame, raster);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = theme.background;
  context.fillRect(0, 0, frame.width, frame.height);

  // Cells smaller than a pixel are averaged, larger ones keep their edges.
  context.imageSmoothingEnabled = cell.width * ratio < 1 || cell.height * ratio < 1;
  paper.tiles.forEach((tile, i) => {
    const from = Math.max(view.t0, i * tileTokens);
    const to = Math.min(view.t1, i * tileTokens + tile.width);
    if (from >= to || view.r0 >= view.r1) return;
    context.drawImage(
      tile,
      from - i * tileTokens,
      view.r0,
      to - from,
      view.r1 - view.r0,
      xOf(frame, from),
      yOf(frame, view.r0),
      (to - from) * cell.width,
      (view.r1 - view.r0) * cell.height,
    );
  });

  if (cell.width >= 5 && cell.height >= 5) gaps(context, theme, frame, view);
  layerLines(context, theme, frame, view, raster.rows);
  if (cell.width >= 11 && cell.height >= 11 && !paper.difference) letters(context, paper, frame, view);
  if (raster.changed && cell.width >= 5 && cell.height >= 5) corners(context, raster, theme, frame, view);
  gutters(context, paper, frame, view);
}

function gaps(context: Drawing, theme: Theme, frame: Frame, view: Window): void {
  context.fillStyle = theme.background;
  const bottom = yOf(frame, view.r1);
  const right = xOf(frame, view.t1);
  for (let t = view.t0; t <= view.t1; t++)
    context.fillRect(xOf(frame, t) - 0.5, frame.gutter.top, 1, bottom - frame.gutter.top);
  for (let r = view.r0; r <= view.r1; r++)
    context.fillRect(frame.gutter.left, yOf(frame, r) - 0.5, right - frame.gutter.left, 1);
}

/** Between layers, where modules are rows of their own. */
function layerLines(context: Drawing, theme: Theme, frame: Frame, view: Window, rows: readonly Row[]): void {
  if (frame.cell.height < 3) return;
  context.fillStyle = theme.line;
  const right = xOf(frame, view.t1);
  for (let r = Math.max(1, view.r0); r < view.r1; r++) {
    const [above, row] = [rows[r - 1]!, rows[r]!];
    if (above.layer !== row.layer && (above.module >= 0 || row.module >= 0))
      context.fillRect(frame.gutter.left, Math.round(yOf(frame, r)) - 0.5, right - frame.gutter.left, 1);
  }
}

type Drawing = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/** Letters are drawn once each and then copied: thousands of fillText calls would cost frames. */
function letters(context: Drawing, paper: Paper, frame: Frame, view: Window): void {
  const { raster, theme } = paper;
  const size = Math.min(12, frame.cell.width - 3, frame.cell.height - 3);
  const atlas = letterAtlas(theme, size, frame.ratio);
  context.imageSmoothingEnabled = true;
  for (let r = view.r0; r < view.r1; r++) {
    const y = yOf(frame, r) + (frame.cell.height - atlas.box) / 2;
    for (let t = view.t0; t < view.t1; t++) {
      const cell = r * raster.tokens + t;
      const e = raster.expert[cell]!;
      if (e < 0) continue;
      const strong = raster.strength[cell]! > 0.45;
      const x = xOf(frame, t) + (frame.cell.width - atlas.box) / 2;
      context.drawImage(atlas.of(e, strong), x, y, atlas.box, atlas.box);
    }
  }
}

interface Atlas {
  readonly box: number;
  of(expert: number, strong: boolean): OffscreenCanvas;
}

let atlasKept: { key: string; atlas: Atlas } | undefined;

function letterAtlas(theme: Theme, size: number, ratio: number): Atlas {
  const key = `${theme.background} ${theme.foreground} ${theme.light} ${theme.font} ${size} ${ratio}`;
  if (atlasKept?.key === key) return atlasKept.atlas;
  const made = new Map<number, OffscreenCanvas>();
  const box = Math.ceil(size) + 2;
  const atlas: Atlas = {
    box,
    of(expert, strong) {
      const slot = expert * 2 + (strong ? 1 : 0);
      let glyph = made.get(slot);
      if (!glyph) {
        made.set(slot, (glyph = new OffscreenCanvas(Math.ceil(box * ratio), Math.ceil(box * ratio))));
        const g = glyph.getContext('2d')!;
        g.scale(ratio, ratio);
        g.font = `600 ${size}px ${theme.font}`;
        g.textAlign = 'center';
        g.textBaseline = 'middle';
        g.fillStyle = strong ? colourOf(expert, theme).ink : theme.foreground;
        g.fillText(look(expert).letter, box / 2, box / 2 + 0.5, box);
      }
      return glyph;
    },
  };
  atlasKept = { key, atlas };
  return atlas;
}

/** A corner on each cell whose choice a what-if changed: seen without colour. */
function corners(context: Drawing, raster: Raster, theme: Theme, frame: Frame, view: Window): void {
  context.fillStyle = theme.foreground;
  const size = Math.min(6, frame.cell.width * 0.45, frame.cell.height * 0.45);
  context.beginPath();
  for (let r = view.r0; r < view.r1; r++) {
    for (let t = view.t0; t < view.t1; t++) {
      if (!(raster.changed![r * raster.tokens + t]! > 0)) continue;
      const x = xOf(frame, t + 1) - 0.5;
      const y = yOf(frame, r) + 0.5;
      context.moveTo(x - size, y);
      context.lineTo(x, y);
      context.lineTo(x, y + size);
      context.closePath();
    }
  }
  context.fill();
}

function gutters(context: Drawing, { raster, theme }: Paper, frame: Frame, view: Window): void {
  const { left, top } = frame.gutter;
  const { cell } = frame;
  context.fillStyle = theme.background;
  context.fillRect(0, 0, frame.width, top);
  context.fillRect(0, 0, left, frame.height);
  context.fillStyle = theme.faint;
  context.strokeStyle = theme.line;
  context.textBaseline = 'middle';

  // Rows: the layer where it begins, the kind where there is room.
  const size = Math.min(11, Math.max(9, cell.height - 2));
  context.font = `${size}px ${theme.font}`;
  const every = Math.max(1, Math.ceil((size + 1) / layerHeight(raster.rows, view, cell.height)));
  let seen = -1;
  context.save();
  context.beginPath();
  context.rect(0, top, left, frame.height - top);
  context.clip();
  for (let r = Math.max(0, view.r0 - 12); r < view.r1; r++) {
    const row = raster.rows[r]!;
    const y = yOf(frame, r) + cell.height / 2;
    if (row.layer !== seen) {
      seen = row.layer;
      if (row.layer % every === 0 || r === 0) {
        context.textAlign = 'right';
        // The layer's name stays in view as long as the layer does.
        const end = yOf(frame, lastOf(raster.rows, r) + 1);
        const high = top + size / 2;
        if (end > top + 1)
          context.fillText(String(row.layer), 30, Math.max(high, Math.min(Math.max(y, high), end - cell.height / 2)));
      }
      if (cell.height >= 9) disclosure(context, 7, y, row.module >= 0);
    }
    if (row.module >= 0 && cell.height >= 9) {
      context.textAlign = 'left';
      context.fillText(row.kind, 36, y);
    }
  }
  context.restore();

  // Tokens: their text where there is room, else every so many a number.
  context.save();
  context.beginPath();
  context.rect(left, 0, frame.width - left, top);
  context.clip();
  if (cell.width >= labelFrom) {
    context.font = `${Math.min(11, cell.width - 1)}px ${theme.mono}`;
    context.textAlign = 'left';
    for (let t = view.t0; t < view.t1; t++) {
      context.save();
      context.translate(xOf(frame, t) + cell.width / 2, top - 4);
      context.rotate(-Math.PI / 2);
      context.fillText(frame.labels[t]!, 0, 0, top - 8);
      context.restore();
    }
  } else {
    context.font = `10px ${theme.font}`;
    const step = tick(44 / cell.width);
    // Counted from 1, as everywhere on the page.
    for (let number = Math.ceil((view.t0 + 1) / step) * step; number <= view.t1; number += step) {
      const x = xOf(frame, number - 1) + cell.width / 2;
      context.fillRect(Math.round(x), top - 4, 1, 3);
      context.textAlign = 'center';
      context.fillText(String(number), x, top - 10);
    }
  }
  context.restore();
}

export const labelFrom = 10;

function lastOf(rows: readonly Row[], r: number): number {
  let last = r;
  while (rows[last + 1]?.layer === rows[r]!.layer) last++;
  return last;
}

function layerHeight(rows: readonly Row[], view: Window, height: number): number {
  const layers = new Set(rows.slice(view.r0, view.r1).map((row) => row.layer)).size;
  return layers > 0 ? ((view.r1 - view.r0) * height) / layers : height;
}

function disclosure(context: Drawing, x: number, y: number, open: boolean): void {
  context.beginPath();
  if (open) {
    context.moveTo(x - 3, y - 1.5);
    context.lineTo(x, y + 1.5);
    context.lineTo(x + 3, y - 1.5);
  } else {
    context.moveTo(x - 1.5, y - 3);
    context.lineTo(x + 1.5, y);
    context.lineTo(x - 1.5, y + 3);
  }
  context.save();
  context.strokeStyle = context.fillStyle;
  context.stroke();
  context.restore();
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
function tick(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return [1, 2, 5, 10].map((m) => m * power).find((step) => step >= least)!;
}

/** Lines through the cell under the pointer and around the selected token and row; on a canvas of its own. */
export function paintOver(
  context: CanvasRenderingContext2D,
  theme: Theme,
  frame: Frame,
  raster: Raster,
  selected: { readonly token: number; readonly row: number },
  pointer: { readonly token: number; readonly row: number } | undefined,
): void {
  context.setTransform(frame.ratio, 0, 0, frame.ratio, 0, 0);
  context.clearRect(0, 0, frame.width, frame.height);
  const { left, top } = frame.gutter;
  const right = Math.min(frame.width, xOf(frame, raster.tokens));
  const bottom = Math.min(frame.height, yOf(frame, raster.rows.length));
  context.save();
  context.beginPath();
  context.rect(0, 0, frame.width, frame.height);
  context.clip();
  if (pointer) {
    context.fillStyle = css(mix(theme.background, theme.foreground, 0.5));
    context.globalAlpha = 0.7;
    const x = xOf(frame, pointer.token);
    const y = yOf(frame, pointer.row);
    for (const at of [x, x + frame.cell.width]) if (at >= left) context.fillRect(at - 0.5, top, 1, bottom - top);
    for (const at of [y, y + frame.cell.height]) if (at >= top) context.fillRect(left, at - 0.5, right - left, 1);
    context.globalAlpha = 1;
  }
  context.strokeStyle = theme.focus;
  context.lineWidth = 1.5;
  context.beginPath();
  context.rect(left - 1, top - 1, frame.width, frame.height);
  context.clip();
  if (selected.token >= 0)
    context.strokeRect(xOf(frame, selected.token) - 0.5, top - 2, Math.max(2, frame.cell.width) + 1, bottom - top + 4);
  if (selected.row >= 0)
    context.strokeRect(left - 2, yOf(frame, selected.row) - 0.5, right - left + 4, Math.max(2, frame.cell.height) + 1);
  context.restore();
}
