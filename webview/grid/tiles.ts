/** The grid's colours as pictures, a pixel a cell. */
import { colourCount, quiet } from '../../src/shared/palette.js';
import { channels, mix, type Theme } from '../look/theme.js';
import { off, type Cells } from './cells.js';

/** Columns a tile: far below every canvas limit. */
export const tileColumns = 4096;
const levels = 16;

/** What is left of a colour where a what-if changed nothing. */
const faded = 0.27;

/** @param tint of a tone, by its strength; `fade` below 1 where it stays */
export function tilesOf(
  cells: Cells,
  theme: Theme,
  tint: (tone: number, strength: number, fade?: number) => [number, number, number],
): OffscreenCanvas[] {
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
  const tiles: OffscreenCanvas[] = [];
  for (let from = 0; from < columns && rows > 0; from += tileColumns) {
    const width = Math.min(tileColumns, columns - from);
    const image = new ImageData(width, rows);
    const pixels = new Uint32Array(image.data.buffer);
    for (let r = 0; r < rows; r++)
      for (let i = 0; i < width; i++) {
        const cell = r * columns + from + i;
        const own = tone[cell]!;
        const level = Math.round(strength[cell]! * levels);
        pixels[r * width + i] =
          own >= quiet ? table[((own - quiet) * (levels + 1) + level) * 2 + stays[cell]!]! : own === off ? grey : pale;
      }
    const tile = new OffscreenCanvas(width, rows);
    tile.getContext('2d')!.putImageData(image, 0, 0);
    tiles.push(tile);
  }
  return tiles;
}

function word([r, g, b]: readonly [number, number, number]): number {
  return (255 << 24) | (b << 16) | (g << 8) | r; // little-endian RGBA
}
