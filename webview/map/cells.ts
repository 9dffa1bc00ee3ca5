/** How each cell of the map is drawn; if cells are too small to be seen, how each window of them is drawn. Pure. */
import { sort } from 'd3-array';
import { colourCount, quiet } from '../../src/look/palette.js';
import type { SharedModules } from '../../src/trace/model/access.js';
import type { Place } from './geometry.js';
import { cellAt, hidden, nothing, shareAt, unknown, type Raster, type Row } from './model.js';

/** How each cell is drawn. R rows, C columns, row-major. */
export interface Cells {
  readonly rows: number;
  readonly columns: number;
  /** [R, C] a slot of the palette, or a hue; `empty` or `off`. */
  readonly tone: Int16Array;
  /** [R, C] 0..1: how strong the colour is drawn. */
  readonly strength: Float32Array;
  /** [R, C] 1: faded, because a what-if left it as it was or because the text before it has changed. */
  readonly stays: Uint8Array;
  /** Tones of different rows, or columns, are unrelated: each has its own experts. */
  readonly apart?: 'rows' | 'columns' | undefined;
  /** A tone stands for the leading expert, not for a number's hue. */
  readonly isLed: boolean;
}

const empty = -3;
/** Hidden by the filter. */
export const off = -2;

/** The cells as they are on the screen. @param isOutdated whether a column is out of date */
export function cellsOf(
  raster: Raster,
  toneOf: (row: number, column: number) => number,
  isFading: boolean,
  isOutdated: (column: number) => boolean = () => false,
): Cells {
  const { rows, columns, expert, changed, isTurned } = raster;
  const old = Uint8Array.from({ length: columns.count }, (_, column) => (isOutdated(column) ? 1 : 0));
  const isLocal = rows.some(({ parts }) => parts.some((part) => part?.set.scope === 'layer'));
  const cells: Cells = {
    rows: rows.length,
    columns: columns.count,
    tone: expert.map((e, i) =>
      e >= 0 ? toneOf(Math.floor(i / columns.count), i % columns.count) : e === hidden ? off : empty,
    ),
    strength: blankWeak(raster),
    stays: Uint8Array.from(expert, (_, i) => (isFading && changed?.[i] === 0 ? 1 : old[i % columns.count]!)),
    apart: isLocal ? (isTurned ? 'columns' : 'rows') : undefined,
    isLed: raster.shows === 'experts' && !raster.isPale,
  };
  return isTurned ? transposed(cells) : cells;
}

/** The only token of an empty line always has a leader, which says little: an empty line is drawn as weak as can be, as its tip says. */
function blankWeak({ rows, columns, strength, shows }: Raster): Float32Array {
  if (shows !== 'experts' || !columns.spans.some(({ lines }) => lines)) return strength;
  const drawn = strength.slice();
  for (const { from, lines } of columns.spans)
    lines?.blank.forEach((isBlank, l) => {
      if (isBlank) rows.forEach((_, r) => (drawn[r * columns.count + from + l] = 0));
    });
  return drawn;
}

function transposed(cells: Cells): Cells {
  const { rows, columns } = cells;
  const of = <A extends Int16Array | Float32Array | Uint8Array>(from: A): A => {
    const to = from.slice() as A;
    for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c]!;
    return to;
  };
  const { tone, strength, stays } = cells;
  return { ...cells, rows: columns, columns: rows, tone: of(tone), strength: of(strength), stays: of(stays) };
}

/** How many cells form a window. */
export interface Step {
  readonly columns: number;
  readonly rows: number;
}

/** Cells large enough to be seen are drawn one by one; of smaller ones, as many as fill two pixels form a window. */
export function stepFor({ width, height }: { readonly width: number; readonly height: number }): Step {
  const of = (size: number) => (size >= 1 ? 1 : Math.ceil(2 / size));
  return { columns: of(width), rows: of(height) };
}

/**
 * One cell per window: the tone that most of its cells have, as strong as their share. Colours are never averaged: the mean of
 * two experts' colours looks like a third's. Numbers are: the cell shows their mean, in the hue that most have.
 */
export function condensed(cells: Cells, step: Step): Cells {
  const rows = Math.ceil(cells.rows / step.rows);
  const columns = Math.ceil(cells.columns / step.columns);
  const tone = new Int16Array(rows * columns);
  const strength = new Float32Array(rows * columns);
  const stays = new Uint8Array(rows * columns);
  // By tone, and by row or column if the same tone is another expert in each.
  const tones = colourCount + 1;
  const counts = new Int32Array((cells.apart ? step[cells.apart] : 1) * tones);
  const sums = new Float64Array(counts.length);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) {
      counts.fill(0);
      sums.fill(0);
      let known = 0;
      let hides = false;
      let isStill = true;
      const bottom = Math.min(cells.rows, (r + 1) * step.rows);
      const right = Math.min(cells.columns, (c + 1) * step.columns);
      for (let y = r * step.rows; y < bottom; y++)
        for (let x = c * step.columns; x < right; x++) {
          const i = y * cells.columns + x;
          const own = cells.tone[i]!;
          if (own < quiet) {
            if (own === off) hides = true;
            continue;
          }
          const place = cells.apart === 'rows' ? y - r * step.rows : cells.apart ? x - c * step.columns : 0;
          const key = place * tones + own - quiet;
          counts[key]!++;
          sums[key]! += cells.strength[i]!;
          known++;
          if (cells.stays[i] === 0) isStill = false;
        }
      let best = 0;
      for (let key = 1; key < counts.length; key++) if (counts[key]! > counts[best]!) best = key;
      const at = r * columns + c;
      tone[at] = known > 0 ? (best % tones) + quiet : hides ? off : empty;
      strength[at] = known > 0 ? (cells.isLed ? counts[best]! : sums[best]!) / known : 0;
      stays[at] = isStill ? 1 : 0;
    }
  return { ...cells, rows, columns, tone, strength, stays };
}

interface Share {
  readonly part: SharedModules;
  readonly row: Row;
  readonly expert: number;
  readonly count: number;
}

export interface Window {
  /** First and last column and row. */
  readonly from: Place;
  readonly to: Place;
  /** Which experts lead how many of its cells, most first, those of a tie by their index. Empty if numbers colour the cells. */
  readonly shares: readonly Share[];
  /** Number of cells about which something is known. */
  readonly known: number;
  /** Why, if that is 0: what most tells of the cells' kinds (`hidden`, or else `nothing`, or else `unknown`). */
  readonly without: number;
  /** Mean of what colours them, if that is a number or the share of one expert. */
  readonly mean: number;
  /** Share of the choices in them that a what-if changed; undefined without one. */
  readonly changed: number | undefined;
}

/** The window that contains a cell. @param step as on the screen */
export function windowAt(raster: Raster, at: Place, step: Step): Window {
  const { rows, columns, isTurned } = raster;
  const [wide, high] = isTurned ? [step.rows, step.columns] : [step.columns, step.rows];
  const from = { column: at.column - (at.column % wide), row: at.row - (at.row % high) };
  return within(raster, from, {
    column: Math.min(columns.count, from.column + wide) - 1,
    row: Math.min(rows.length, from.row + high) - 1,
  });
}

/** The cells from one place to another. */
export function within(raster: Raster, from: Place, to: Place): Window {
  const { rows, columns, expert, measured, change, changed } = raster;
  const counts = new Map<string, Share>();
  let known = 0;
  let sum = 0;
  let flips = 0;
  let without = unknown;
  for (let row = from.row; row <= to.row; row++)
    for (let column = from.column; column <= to.column; column++) {
      const i = row * columns.count + column;
      if (expert[i] === hidden || (expert[i] === nothing && without !== hidden)) without = expert[i]!;
      const part = expert[i]! < 0 ? undefined : cellAt(raster, column, row)?.part;
      if (!part) continue;
      known++;
      sum += measured?.[i] ?? change?.[column] ?? shareAt(raster, i);
      flips += changed?.[i] ?? 0;
      if (raster.shows !== 'experts') continue;
      const key = `${part.set.scope === 'layer' ? row : ''} ${expert[i]!}`;
      const former = counts.get(key);
      counts.set(key, { part, row: rows[row]!, expert: expert[i]!, count: (former?.count ?? 0) + 1 });
    }
  const placeOf = ({ part, row }: Share): number => (part.set.scope === 'layer' ? rows.indexOf(row) : 0);
  const shares = sort(
    counts.values(),
    ({ count }) => -count,
    placeOf,
    ({ expert: e }) => e,
  );
  return { from, to, known, without, mean: sum / known, changed: changed && flips / known, shares };
}
