/** The map's colours as images, one pixel per cell. */
import { colourCount, quiet } from '../../src/look/palette.js';
import { channels, mix, type Theme } from '../look/theme.js';
import { off, type Cells, type Step } from './cells.js';
import { xOf, yOf, type Frame, type Window } from './geometry.js';

/** Cells per side of a tile: far below every canvas limit. */
const side = 4096;
const levels = 16;

/** How much of a colour is left where a what-if changed nothing. */
export const faded = 0.27;

export interface Tile {
  readonly canvas: OffscreenCanvas;
  /** Its first cell. */
  readonly column: number;
  readonly row: number;
}

/** @param tint the colour of a tone by its strength; `fade` is below 1 for cells that stay */
export function tilesOf(
  cells: Cells,
  theme: Theme,
  tint: (tone: number, strength: number, fade?: number) => [number, number, number],
): Tile[] {
  // [tone, level, faded] as packed pixels; the first tone is the quiet one.
  const table = new Uint32Array((colourCount + 1) * (levels + 1) * 2);
  for (let tone = quiet; tone < colourCount; tone++)
    for (let level = 0; level <= levels; level++) {
      const at = ((tone - quiet) * (levels + 1) + level) * 2;
      table[at] = word(tint(tone, level / levels));
      table[at + 1] = word(tint(tone, level / levels, faded));
    }
  const pale = word(channels(theme.background));
  const grey = word(mix(theme.background, theme.foreground, 0.06));
  const { rows, columns, tone, strength, stays } = cells;
  const tiles: Tile[] = [];
  for (let row = 0; row < rows; row += side)
    for (let column = 0; column < columns; column += side) {
      const [width, height] = [Math.min(side, columns - column), Math.min(side, rows - row)];
      const image = new ImageData(width, height);
      const pixels = new Uint32Array(image.data.buffer);
      for (let r = 0; r < height; r++)
        for (let i = 0; i < width; i++) {
          const cell = (row + r) * columns + column + i;
          const own = tone[cell]!;
          const level = Math.round(strength[cell]! * levels);
          pixels[r * width + i] =
            own >= quiet
              ? table[((own - quiet) * (levels + 1) + level) * 2 + stays[cell]!]!
              : own === off
                ? grey
                : pale;
        }
      const canvas = new OffscreenCanvas(width, height);
      canvas.getContext('2d')!.putImageData(image, 0, 0);
      tiles.push({ canvas, column, row });
    }
  return tiles;
}

/** Draws the part that is in view. @param step the one that the tiles were made for */
export function drawTiles(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  tiles: readonly Tile[],
  step: Step,
  frame: Frame,
  view: Window,
): void {
  context.imageSmoothingEnabled = false;
  for (const { canvas, column, row } of tiles) {
    const x = Math.max(0, Math.floor(view.c0 / step.columns) - column);
    const y = Math.max(0, Math.floor(view.r0 / step.rows) - row);
    const width = Math.min(canvas.width, Math.ceil(view.c1 / step.columns) - column) - x;
    const height = Math.min(canvas.height, Math.ceil(view.r1 / step.rows) - row) - y;
    if (width <= 0 || height <= 0) continue;
    context.drawImage(
      canvas,
      x,
      y,
      width,
      height,
      xOf(frame, (column + x) * step.columns),
      yOf(frame, (row + y) * step.rows),
      width * step.columns * frame.cell.width,
      height * step.rows * frame.cell.height,
    );
  }
}

function word([r, g, b]: readonly [number, number, number]): number {
  return (255 << 24) | (b << 16) | (g << 8) | r; // little-endian RGBA
}
