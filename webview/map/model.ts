/**
 * What each cell of the map shows, computed once for a trace and a filter: an expert and a strength. R rows are places in the
 * model, C columns are places in the text, row-major; a map of lines is drawn with its columns down (`turn`). Pure: drawing
 * only reads it.
 */
import {
  isKnown,
  kindsOf,
  layersOf,
  rowsAt,
  sharedModules,
  modulesOf,
  type Layer,
  type Rows,
  type SharedModules,
} from '../../src/trace/model/access.js';
import { certaintyAt } from '../../src/trace/figures/distribution.js';
import { disagreement, usualSize } from '../../src/trace/alignment/change.js';
import type { ExpertSet, Trace } from '../../src/trace/model/trace.js';
import { isByLayer, scaled, valuesOf, type Scale, type TextMeasure } from '../../src/trace/figures/colouring.js';
import type { Filter, View } from '../store/state.js';
import { tokenAt, type Columns } from './columns.js';
import type { Place } from './geometry.js';
import { layerKey } from '../../src/trace/model/shownExperts.js';

/** Whether all rows show only chosen experts, as strong as their share of the line. */
export const isOnlyChosen = ({ rows, isFiltered }: Raster): boolean => rows.every((_, r) => isFiltered?.[r]);

/** A layer as a whole, or one routed module. */
export interface Row extends Layer {
  /** Index in the trace's `sites`; −1: the layer as a whole. */
  readonly module: number;
  /** The module's kind; empty for a layer. */
  readonly kind: string;
  /** For each sequence, what the row sums up over its tokens; undefined if the row does not apply to them. */
  readonly parts: readonly (SharedModules | undefined)[];
  /** If the row is about this expert alone: an index in its parts' set. */
  readonly expert?: number;
}

export interface Raster {
  readonly rows: readonly Row[];
  readonly columns: Columns;
  /** The columns are lines, drawn as rows. */
  readonly isTurned: boolean;
  /** What colours the cells: the leading expert, how far the choices of two runs differ, the change in log-probability, or a number. */
  readonly shows: 'experts' | 'difference' | 'change' | TextMeasure;
  /**
   * [R, C] index in the row's own set; `nothing`, `unknown` or `hidden`. If experts do not colour the cells: which of the hues
   * (`Paper`).
   */
  readonly expert: Int16Array;
  /** [R, C] 0..1: how strong the colour is. */
  readonly strength: Float32Array;
  /** [R, C] share of the choices that a what-if changed; undefined without one. */
  readonly changed: Float32Array | undefined;
  /** [C] of a `change`: the other's log-probability − this one's; NaN if unknown. */
  readonly change?: Float32Array;
  /** [R, C] of a measure: its values; NaN if unknown. */
  readonly measured?: Float32Array;
  /** Of a measure or a `change`: what its colours mean. */
  readonly scale?: Scale;
  /** Of lines: the raster of the tokens that they sum up. */
  readonly tokens?: Raster;
  /** [R] whether only chosen experts are shown, as strong as their share of the weight. */
  readonly isFiltered?: readonly boolean[];
  /** [R, C] if each row is one expert, its share of the line; where one expert alone is shown, its share of the weight; else NaN. */
  readonly share?: Float32Array;
  /** The share of the strongest colour. */
  readonly most?: number;
  /** The colour need not say which expert it is: all of a row, or of the map, is one. */
  readonly isPale?: boolean;
}

/** Converts between the map's own columns and rows and those on the screen, in both directions. */
export function turn({ isTurned }: Pick<Raster, 'isTurned'>, { column, row }: Place): Place {
  return isTurned ? { column: row, row: column } : { column, row };
}

/** No expert was applied, or none leads; in a comparison, the other text does not have the token. */
export const nothing = -1;
/** Hidden by the filter. */
export const hidden = -2;
/** The source says nothing about this token here, or the row does not apply to it. */
export const unknown = -3;

/**
 * A layer is one row, or one row per routed module: if it was opened, or if its modules have different experts, so that nothing
 * can be summed up.
 */
export function rowsOf(trace: Trace, filter: Filter, expanded: View['expanded']): Row[] {
  const kinds = filter.kinds.length > 0 ? filter.kinds : kindsOf(trace);
  const rows: Row[] = [];
  for (const layer of layersOf(trace)) {
    if (filter.layers && (layer.layer < filter.layers[0] || layer.layer > filter.layers[1])) continue;
    const modules = [...modulesOf(trace, { ...layer, kind: kinds })];
    if (modules.length === 0) continue;
    const parts = partsOf(trace, { ...layer, kind: kinds });
    const isMixed = modules.some((s) => parts[trace.modules[s]!.sequence] === undefined);
    const isOpen = expanded === 'all' || expanded.includes(layerKey(layer));
    if (!isOpen && !isMixed) rows.push({ ...layer, module: -1, kind: '', parts });
    else
      for (const s of modules) {
        const { kind, path } = trace.modules[s]!;
        rows.push({ ...layer, module: s, kind, parts: partsOf(trace, { module: path }) });
      }
  }
  return rows;
}

function partsOf(trace: Trace, filter: Parameters<typeof sharedModules>[1]): Row['parts'] {
  return trace.sequences.map((_, sequence) => sharedModules(trace, { ...filter, sequence }));
}

/** The row that contains a routed module; −1: none. If the module's layer is closed, that is the layer's row. */
export function rowAt(rows: readonly Row[], layer: string, module: number): number {
  const exact = rows.findIndex((row) => row.module === module && (module >= 0 || layerKey(row) === layer));
  return exact >= 0 ? exact : rows.findIndex((row) => layerKey(row) === layer);
}

/** How many rows, from `rowAt` on, the selection is: all of an open layer's while no module of it is selected. */
export function rowsFrom(rows: readonly Row[], layer: string, module: number): number {
  return module >= 0 ? 1 : Math.max(1, rows.filter((row) => layerKey(row) === layer).length);
}

/** Whether the filter leaves only some of a row's experts. */
function filtersExperts({ parts }: Row, filter: Filter, shownLayer: ExpertSet | undefined): boolean {
  return parts.some((part) => part && part.set === shownLayer && wantedOf(part, filter) !== undefined);
}

/** @param inSight the set that the filter's experts belong to; sets of other layers are not filtered by it */
export function rasterOf(
  trace: Trace,
  rows: readonly Row[],
  columns: Columns,
  filter: Filter,
  shownLayer: ExpertSet | undefined,
  before?: Trace,
): Raster {
  const raster = blank('experts', rows, columns, before && changes(trace, before, rows, columns));
  for (const { sequence, from } of columns.spans) {
    rows.forEach((row, r) => {
      const part = row.parts[sequence];
      if (part) fill(raster, r * columns.count + from, trace, part, filter, part.set === shownLayer);
    });
  }
  return { ...raster, isFiltered: rows.map((row) => filtersExperts(row, filter, shownLayer)) };
}

/** What a cell says: an expert's share, or else how strong its colour is. */
export function shareAt({ share, strength }: Raster, cell: number): number {
  const own = share?.[cell] ?? NaN;
  return Number.isNaN(own) ? strength[cell]! : own;
}

/**
 * Where one expert alone is shown, its cells would all look alike: their shares of the weight are close to each other, and far from
 * 1. So the usual range of these has all strengths, as if it were a number that colours them.
 * @param wanted the share of the strongest colour, if it is not to be theirs
 */
export function spread(raster: Raster, wanted?: number): Raster {
  const { expert, strength, columns, isFiltered = [] } = raster;
  const isShown = (i: number): boolean => isFiltered[Math.floor(i / columns.count)]! && expert[i]! >= 0;
  const share = strength.map((own, i) => (isShown(i) ? own : NaN));
  if (share.every(Number.isNaN)) return raster;
  const most = wanted ?? usualSize(share);
  const isPale = isFiltered.every(Boolean);
  // However small a share is, it is seen that there is one.
  const least = isPale ? 0.15 : 0;
  return {
    ...raster,
    share,
    most,
    strength: strength.map((own, i) => (isShown(i) ? least + (1 - least) * Math.min(1, own / most) : own)),
    isPale,
  };
}

export function blank(shows: Raster['shows'], rows: readonly Row[], columns: Columns, changed?: Float32Array): Raster {
  const size = rows.length * columns.count;
  return {
    shows,
    rows,
    columns,
    isTurned: columns.spans.some(({ lines }) => lines !== undefined),
    expert: new Int16Array(size).fill(unknown),
    strength: new Float32Array(size),
    changed,
  };
}

/**
 * One number per cell. Its scale is that of the cells: layers differ more than the tokens' means over them, which colour the text.
 */
export function measureRaster(trace: Trace, rows: readonly Row[], columns: Columns, by: TextMeasure): Raster {
  const raster = blank(by, rows, columns);
  const value = new Float32Array(rows.length * columns.count).fill(NaN);
  for (const { sequence, from } of columns.spans)
    rows.forEach(({ parts }, r) => {
      const part = parts[sequence];
      // A token's number for the whole model is the same in all rows.
      if (part) value.set(valuesOf(trace, sequence, by, part.modules), r * columns.count + from);
    });
  return withNumbers(raster, by, value);
}

/** Colours a raster's cells by their numbers. @param value [R, C] NaN if unknown @param scale default: that of these numbers */
export function withNumbers(raster: Raster, by: TextMeasure, value: Float32Array, scale?: Scale): Raster {
  const ends = scale ?? scaled(by, isByLayer(by) ? value : onceEach(value, raster.columns.count));
  const { strength, weak, strong, isPast } = scaled(by, value, ends);
  return {
    ...raster,
    expert: Int16Array.from(value, (x) => (Number.isNaN(x) ? unknown : 0)),
    strength: strength.map((x) => (Number.isNaN(x) ? 0 : x)),
    measured: value,
    scale: { weak, strong, isPast },
  };
}

/** [C] what all rows have, once: as in the text, which has the same scale. */
function onceEach(value: Float32Array, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, column) => {
    for (let i = column; i < value.length; i += count) if (!Number.isNaN(value[i])) return value[i]!;
    return NaN;
  });
}

/** Fills one row's cells of one sequence, from `start` on. */
function fill(
  { expert, strength }: Raster,
  start: number,
  trace: Trace,
  part: SharedModules,
  filter: Filter,
  isLayerShown: boolean,
): void {
  const wanted = isLayerShown ? wantedOf(part, filter) : undefined;
  const modules = Array.from(part.modules, (s) => rowsAt(trace, s));
  const isSingle = modules.length === 1;
  const shares = new Float64Array(part.experts.length);
  const evenly = isSingle && modules[0]!.k > 1 ? 1 / modules[0]!.k : 0;
  const strongest = part.set.scope === 'layer' && evenly > 0 ? mostDecided(modules[0]!, evenly) : 1;
  for (let t = 0; t < part.sequence.done; t++) {
    let total = 0;
    let touched = 0;
    let anyKnown = false;
    let anyHidden = false;
    for (const rows of modules) {
      if (!isKnown(rows, t)) continue;
      anyKnown = true;
      if (filter.margin !== null && !isCloser(trace, rows, t, filter.margin)) {
        anyHidden = true;
        continue;
      }
      for (let i = t * rows.k; i < (t + 1) * rows.k; i++) {
        const e = rows.chosen[i]!;
        if (e < 0) continue;
        const weight = rows.weight ? rows.weight[i]! : 1;
        total += weight;
        if ((wanted && !wanted[e]) || (rows.weight && weight < filter.weight)) {
          anyHidden = true;
          continue;
        }
        if (shares[e] === 0) touched++;
        shares[e]! += weight;
      }
    }
    if (!anyKnown) continue;
    const best = leading(modules, shares, t);
    const most = best < 0 ? 0 : shares[best]!;
    const isEven = touched > 1 && touched === shares.length && shares.every((share) => share === most);
    shares.fill(0);
    const cell = start + t;
    if (best < 0 || isEven) {
      expert[cell] = anyHidden && !isEven ? hidden : nothing;
      continue;
    }
    const share = total > 0 ? most / total : 0;
    expert[cell] = best;
    // A second choice that the filter leaves is below an even split, so it keeps its own share. Without weights, all single
    // choices are equally sure.
    if (!isSingle || wanted) strength[cell] = share;
    else strength[cell] = modules[0]!.weight ? strengthOf(share, evenly, strongest) : 1;
  }
}

/**
 * Of the experts with the largest share: the one with the lowest index or, at a single routed module, the one ranked best. −1:
 * none has any.
 */
function leading(modules: readonly Rows[], shares: Float64Array, t: number): number {
  let best = -1;
  let most = 0;
  for (const { chosen, k } of modules) {
    for (let i = t * k; i < (t + 1) * k; i++) {
      const e = chosen[i]!;
      if (e < 0) continue;
      const share = shares[e]!;
      if (share > most || (share === most && best > e && modules.length > 1)) [best, most] = [e, share];
    }
  }
  return most > 0 ? best : -1;
}

/** A leader cannot fall below an even split between the chosen experts: strength starts there. */
function strengthOf(share: number, evenly: number, strongest: number): number {
  return Math.min(1, Math.max(0, (share - evenly) / (strongest - evenly)));
}

/**
 * Of eight weighted experts none ever has nearly all the weight, so full strength is the share that only one in twenty of a
 * router's tokens exceeds.
 */
function mostDecided({ weight, k, done }: Rows, evenly: number): number {
  if (!weight) return 1;
  const shares = new Float32Array(done);
  for (let t = 0; t < done; t++) {
    let most = 0;
    let total = 0;
    for (let i = t * k; i < (t + 1) * k; i++) {
      total += weight[i]!;
      if (weight[i]! > most) most = weight[i]!;
    }
    shares[t] = most / total;
  }
  // If all tokens are weighted about evenly, none is made to look decided.
  return Math.min(1, Math.max(2 * evenly, usualSize(shares)));
}

function wantedOf({ experts }: SharedModules, filter: Filter): boolean[] | undefined {
  const wanted = experts.map(({ id }) => filter.experts.includes(id));
  // Experts of another pool filter nothing.
  return wanted.some(Boolean) ? wanted : undefined;
}

function isCloser(trace: Trace, rows: Rows, t: number, limit: number): boolean {
  // Without scores there is no margin to filter by.
  if (!rows.score && !rows.selection) return true;
  return certaintyAt(trace, rows, t).margin <= limit;
}

/** Share of a row's routed modules whose chosen set has changed. Both runs are of the same text. */
function changes(trace: Trace, before: Trace, rows: readonly Row[], columns: Columns): Float32Array {
  const out = new Float32Array(rows.length * columns.count);
  const earlier = new Map(before.modules.map(({ path }, s) => [path, s]));
  for (const { sequence, from } of columns.spans) {
    rows.forEach((row, r) => {
      const part = row.parts[sequence];
      if (!part) return;
      const pairs = Array.from(part.modules, (s): [Rows, Rows] | undefined => {
        const was = earlier.get(trace.modules[s]!.path);
        return was === undefined ? undefined : [rowsAt(trace, s), rowsAt(before, was)];
      }).filter((pair) => pair !== undefined);
      const done = Math.min(part.sequence.done, before.sequences[sequence]?.done ?? 0);
      for (let t = 0; t < done; t++) {
        let flipped = 0;
        for (const [now, was] of pairs) if (disagreement(now, t, was, t) > 0) flipped++;
        out[r * columns.count + from + t] = pairs.length > 0 ? flipped / pairs.length : 0;
      }
    });
  }
  return out;
}

/** Whether the source says anything about a token at one of these modules. */
export function isKnownIn(trace: Trace, { modules, sequence }: SharedModules, token: number): boolean {
  return token < sequence.done && modules.some((s) => isKnown(rowsAt(trace, s), token));
}

export interface Choice {
  readonly expert: number;
  /** Of one routed module its weight, of several their share; undefined if the source gives no weights. */
  readonly weight: number | undefined;
}

/** The experts chosen at a row's cell, the largest first. */
export function choicesAt(trace: Trace, part: SharedModules, token: number): Choice[] {
  const sums = new Map<number, number>();
  const modules = Array.from(part.modules, (s) => rowsAt(trace, s));
  const isWeighed = modules.every(({ weight }) => weight !== undefined);
  let total = 0;
  for (const { chosen, weight, k } of modules) {
    for (let i = token * k; i < (token + 1) * k; i++) {
      const e = chosen[i]!;
      if (e < 0) continue;
      const w = isWeighed ? weight![i]! : 1;
      sums.set(e, (sums.get(e) ?? 0) + w);
      total += w;
    }
  }
  const isSum = modules.length > 1;
  const list = [...sums].map(([expert, sum]): Choice => {
    if (!isWeighed && !isSum) return { expert, weight: undefined };
    return { expert, weight: isSum && total > 0 ? sum / total : sum };
  });
  // Without weights, the source's own order is kept: best first.
  return isWeighed || isSum ? list.sort((a, b) => b.weight! - a.weight! || a.expert - b.expert) : list;
}

/** A cell's row, token and what the row sums up there; undefined in a gap. */
export function cellAt({ rows, columns }: Raster, column: number, row: number) {
  const place = tokenAt(columns, column);
  const found = rows[row];
  return place && found && { ...place, row: found, part: found.parts[place.sequence] };
}
