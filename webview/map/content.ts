/** What the map is drawn from: a raster, how its experts look, and the labels beside and above it. */
import { quiet, weakest } from '../../src/look/palette.js';
import type { ExpertSet } from '../../src/trace/model/trace.js';
import type { Looks } from '../look/looks.js';
import { colourOf, mix, type Theme } from '../look/theme.js';
import { cellsOf, condensed, type Cells, type Step } from './cells.js';
import { sequencesOf } from './columns.js';
import type { RowLoad } from './loads.js';
import type { Raster } from './model.js';
import { tilesOf, type Tile } from './tiles.js';

export type Drawing = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

export interface MapContent {
  readonly raster: Raster;
  readonly theme: Theme;
  /** How each cell is drawn, by its place on the screen. */
  readonly cells: Cells;
  /** The colours, one pixel per window of cells; if a window is one cell, one pixel per cell. */
  readonly tilesFor: (step: Step) => readonly Tile[];
  /** How the experts of a set look. */
  readonly looks: (set: ExpertSet) => Looks;
  /** [C] the label above each column, or beside each line. */
  readonly labels: readonly string[];
  /** If experts do not colour the cells: the hues that the raster's `expert` refers to. */
  readonly hues: readonly string[] | undefined;
  /** [R] loads shown beside the rows, if these cannot be opened. */
  readonly heads: readonly (RowLoad | undefined)[] | undefined;
  /** Key of the layer whose experts the legend names. */
  readonly shownLayer: string | undefined;
  /** Whether the model would no longer say what a column shows. */
  readonly isOutdated?: ((column: number) => boolean) | undefined;
  /** For lines: what colours the text, in one column. */
  readonly margin?: MapContent | undefined;
}

/** What a cell is coloured by: a hue, or its expert's slot in the palette. */
function toneAt(parts: Pick<MapContent, 'raster' | 'looks' | 'hues'>): (row: number, column: number) => number {
  const { columns, expert } = parts.raster;
  return parts.hues ? (row, column) => expert[row * columns.count + column]! : slotAt(parts);
}

type Coloured = Pick<MapContent, 'theme' | 'hues' | 'raster'>;

/** If all of a column is one expert, or one number, the colour need not say which: it can be as pale as the number is small. */
export function tint({ theme, hues, raster }: Coloured, tone: number, strength: number, fade = 1) {
  const fill = hues ? (hues[tone] ?? theme.background) : colourOf(tone, theme).fill;
  const floor = hues || raster.isPale ? 0.06 : weakest;
  return mix(theme.background, fill, (floor + (1 - floor) * strength) * fade);
}

function slotAt({ raster: { rows, columns, expert }, looks }: Pick<MapContent, 'raster' | 'looks'>) {
  // Looked up once per row and sequence: a row may have its own experts.
  const slots = rows.map((row) => row.parts.map((part) => part && looks(part.set).slots));
  const sequenceOf = sequencesOf(columns);
  return (row: number, column: number): number => {
    const e = expert[row * columns.count + column]!;
    return slots[row]![sequenceOf[column]!]?.[e] ?? quiet;
  };
}

/** @param isFading choices that a what-if did not change are faded */
export function makeContent(parts: Omit<MapContent, 'tilesFor' | 'cells'>, isFading: boolean): MapContent {
  const cells = cellsOf(parts.raster, toneAt(parts), isFading, parts.isOutdated);
  const made = new Map<string, readonly Tile[]>();
  return {
    ...parts,
    cells,
    tilesFor: (step) => {
      const key = `${step.columns} ${step.rows}`;
      let tiles = made.get(key);
      if (!tiles) {
        const own = step.columns * step.rows === 1 ? cells : condensed(cells, step);
        // Few are kept: each step of zooming makes others.
        if (made.size > 1) made.clear();
        made.set(key, (tiles = tilesOf(own, parts.theme, (...tone) => tint(parts, ...tone))));
      }
      return tiles;
    },
  };
}
