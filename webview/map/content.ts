/** What the map is drawn from: a raster, how its experts look, and the labels beside and above it. */
import { quiet } from '../../src/look/palette.js';
import type { ExpertSet } from '../../src/trace/model/trace.js';
import type { Looks } from '../look/looks.js';
import { colourOf, mix, type Theme } from '../look/theme.js';
import { cellsOf, condensed, type Step } from './cells.js';
import { sequencesOf } from './columns.js';
import type { RowLoad } from './loads.js';
import type { Raster } from './model.js';
import { tilesOf, type Tile } from './tiles.js';

export type Drawing = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

export interface MapContent {
  readonly raster: Raster;
  readonly theme: Theme;
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

/** How much of its colour the weakest choice has: it must differ visibly from no choice. */
const weakest = 0.3;

function shade(theme: Theme, slot: number, strength: number, fade = 1): [number, number, number] {
  const floor = theme.highContrast ? 0.55 : weakest;
  return mix(theme.background, colourOf(slot, theme).fill, (floor + (1 - floor) * strength) * fade);
}

/** What a cell is coloured by: a hue, or its expert's slot in the palette. */
export function toneAt(parts: Pick<MapContent, 'raster' | 'looks' | 'hues'>): (row: number, column: number) => number {
  const { columns, expert } = parts.raster;
  return parts.hues ? (row, column) => expert[row * columns.count + column]! : slotAt(parts);
}

export function tint({ theme, hues }: Pick<MapContent, 'theme' | 'hues'>, tone: number, strength: number, fade = 1) {
  if (!hues) return shade(theme, tone, strength, fade);
  return mix(theme.background, hues[tone] ?? theme.background, (0.06 + 0.94 * strength) * fade);
}

export function slotAt({ raster: { rows, columns, expert }, looks }: Pick<MapContent, 'raster' | 'looks'>) {
  // Looked up once per row and sequence: a row may have its own experts.
  const slots = rows.map((row) => row.parts.map((part) => part && looks(part.set).slots));
  const sequenceOf = sequencesOf(columns);
  return (row: number, column: number): number => {
    const e = expert[row * columns.count + column]!;
    return slots[row]![sequenceOf[column]!]?.[e] ?? quiet;
  };
}

/** @param isFading choices that a what-if did not change are faded */
export function makeContent(parts: Omit<MapContent, 'tilesFor'>, isFading: boolean): MapContent {
  const cells = cellsOf(parts.raster, toneAt(parts), isFading, parts.isOutdated);
  const made = new Map<string, readonly Tile[]>();
  return {
    ...parts,
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
