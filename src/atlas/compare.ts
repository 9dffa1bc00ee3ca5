/** What moved between two atlases: two checkpoints on one corpus, or one model on two corpora. */
import { falseDiscovery } from '../statistics/falseDiscovery.js';
import { layerId } from '../protocol/atlas.js';
import { sum } from '../statistics/mean.js';
import { twoSided } from '../statistics/tails.js';
import { layerKeyIn, word } from './tables/cells.js';
import { level, type Row } from './tables/table.js';

/** What is compared of an atlas. */
export interface Compared {
  readonly experts: readonly Row[];
  readonly labels: readonly Row[];
}

export interface LoadChange {
  readonly unit: Row;
  readonly before: number;
  readonly after: number;
  /** log2(after ÷ before), with a 95 % interval; NaN with too few documents. */
  readonly change: number;
  readonly low: number;
  readonly high: number;
  readonly p: number;
  readonly q: number;
  /** q is at most 0.05. */
  readonly moved: boolean;
}

export interface LayerChange {
  readonly unit: Row;
  /** ½ Σ |after − before| over the loads: the share of the choices that would have to move. Chance: if only the documents' spread differed. */
  readonly distance: number;
  readonly chance: number;
  readonly moved: number;
  readonly diedOut: number;
  readonly revived: number;
}

export interface LabelChange {
  readonly unit: Row;
  /** The labels in which the unit is specialised on one side only. */
  readonly lost: readonly string[];
  readonly gained: readonly string[];
}

export interface Comparison {
  readonly layers: readonly LayerChange[];
  /** In the order of the units. */
  readonly loads: readonly LoadChange[];
  readonly labels: readonly LabelChange[];
  /** Units that only one of the atlases has. */
  readonly unmatched: number;
}

/** Standard errors in half the width of a 95 % interval, at least: with few documents there are more, so what follows is cautious. */
const errorsInHalf = 1.96;

export function compareAtlases(a: Compared, b: Compared): Comparison {
  const inB = new Map(b.experts.map((row) => [keyOf(row), row]));
  const pairs = a.experts.flatMap((unit): [Row, Row][] => {
    const other = inB.get(keyOf(unit));
    return other ? [[unit, other]] : [];
  });
  const loads = loadChanges(pairs);
  return {
    layers: layerChanges(loads, pairs),
    loads,
    labels: labelChanges(pairs, specialisedIn(a.labels), specialisedIn(b.labels)),
    unmatched: a.experts.length + b.experts.length - 2 * pairs.length,
  };
}

const layerOf = (row: Row) => layerId(layerKeyIn(row));
const keyOf = (row: Row) => `${layerOf(row)} ${word(row, 'name')}`;
const number = (value: Row[string] | undefined) => (typeof value === 'number' ? value : NaN);

/** Of the logarithm of a load. */
function errorOf(unit: Row): number {
  return Math.log(number(unit['load']) / number(unit['low'])) / errorsInHalf;
}

function loadChanges(pairs: readonly (readonly [Row, Row])[]): LoadChange[] {
  const bare = pairs.map(([unit, other]) => {
    const [before, after] = [number(unit['load']), number(other['load'])];
    const change = Math.log2(after / before);
    const error = Math.hypot(errorOf(unit), errorOf(other)) / Math.LN2;
    return {
      unit,
      before,
      after,
      change,
      low: change - errorsInHalf * error,
      high: change + errorsInHalf * error,
      p: twoSided(change / error),
    };
  });
  const q = falseDiscovery(Float64Array.from(bare, ({ p }) => p));
  return bare.map((one, i) => ({ ...one, q: q[i]!, moved: q[i]! <= level }));
}

function layerChanges(loads: readonly LoadChange[], pairs: readonly (readonly [Row, Row])[]): LayerChange[] {
  const all = loads.map((load, i) => ({ load, pair: pairs[i]!, layer: layerOf(load.unit) }));
  return [...new Set(all.map(({ layer }) => layer))].map((layer) => {
    const units = all.filter((one) => one.layer === layer);
    const of = (value: (load: LoadChange, pair: readonly [Row, Row]) => number) =>
      sum(units.map(({ load, pair }) => value(load, pair)));
    return {
      unit: units[0]!.load.unit,
      distance: of(({ before, after }) => Math.abs(after - before)) / 2,
      chance: of(({ before, after }, pair) => chanceOf(before, after, pair)) / 2,
      moved: of(({ moved }) => Number(moved)),
      diedOut: of((_, [one, other]) => Number(one['dead'] === false && other['dead'] === true)),
      revived: of((_, [one, other]) => Number(one['dead'] === true && other['dead'] === false)),
    };
  });
}

/** The mean size of a normal difference with the standard error of both loads. */
function chanceOf(before: number, after: number, [unit, other]: readonly [Row, Row]): number {
  const errors = [before * errorOf(unit), after * errorOf(other)].map((error) => (Number.isNaN(error) ? 0 : error));
  return Math.hypot(...errors) * Math.sqrt(2 / Math.PI);
}

function specialisedIn(labels: readonly Row[]): ReadonlyMap<string, ReadonlySet<string>> {
  const units = new Map<string, Set<string>>();
  for (const row of labels) {
    if (row['specialised'] !== true || !(number(row['lift']) > 0)) continue;
    units.set(keyOf(row), (units.get(keyOf(row)) ?? new Set()).add(String(row['label'])));
  }
  return units;
}

function labelChanges(
  pairs: readonly (readonly [Row, Row])[],
  before: ReadonlyMap<string, ReadonlySet<string>>,
  after: ReadonlyMap<string, ReadonlySet<string>>,
): LabelChange[] {
  return pairs.flatMap(([unit]) => {
    const of = (side: ReadonlyMap<string, ReadonlySet<string>>) => [...(side.get(keyOf(unit)) ?? [])];
    const [had, has] = [of(before), of(after)];
    const [lost, gained] = [had.filter((label) => !has.includes(label)), has.filter((label) => !had.includes(label))];
    return lost.length + gained.length > 0 ? [{ unit, lost, gained }] : [];
  });
}
