/** An atlas as the page looks at it: layers down, each with its experts across. Pure. */
import { group } from 'd3-array';
import { type Failure, failuresOf } from '../../src/atlas/specialised.js';
import type { TokenKind } from '../../src/atlas/figures/vocabulary.js';
import type { AtlasMessage, OwnName } from '../../src/atlas/protocol.js';
import { layerKeyIn, number, unitKeyIn, word } from '../../src/atlas/tables/cells.js';
import type { Row } from '../../src/atlas/tables/table.js';
import { layerId, type LayerKey, unitId, type UnitKey } from '../../src/protocol/atlas.js';
import type { ExpertSet } from '../../src/trace/model/trace.js';

export type AtlasData = Extract<AtlasMessage, { type: 'atlas' }>;

export interface AtlasLayer extends LayerKey {
  readonly set: ExpertSet;
  /** Undefined if the atlas says nothing about this layer. */
  readonly row: Row | undefined;
  /** By expert. */
  readonly units: readonly Unit[];
}

export interface Unit {
  readonly key: UnitKey;
  readonly layer: AtlasLayer;
  /** Of the table `experts`. */
  readonly row: Row;
  /** Of the table `labels`, in the order of the corpus's labels. */
  readonly labels: readonly Row[];
}

export const searchKinds = ['label', 'token', 'text'] as const;
export type SearchKind = (typeof searchKinds)[number];

/** What units are to take. */
export interface Query {
  readonly kind: SearchKind;
  readonly text: string;
}

/** What was searched for, and the rows that say which units take it. */
export interface FoundUnits extends Query {
  readonly rows: readonly Row[];
  readonly units: ReadonlySet<string>;
}

/** How a token and a unit meet. */
export const tokenKinds = ['read', 'next', 'predicted'] as const satisfies readonly TokenKind[];

/** A unit's place on the map. */
export interface Place {
  readonly row: number;
  readonly column: number;
}

export class Atlas {
  /** As they are drawn: what is over all layers comes first. */
  readonly layers: readonly AtlasLayer[];
  readonly isPool: boolean;
  readonly labels: readonly string[];
  /** Of the widest layer. */
  readonly columns: number;
  readonly #places = new Map<string, Place>();

  constructor({ about, layers, experts, labels }: AtlasData) {
    this.labels = about.corpus.labels;
    this.isPool = about.layers.some(({ layer }) => layer === null);
    const scope = this.isPool ? 'pool' : 'layer';
    const rowOf = new Map(layers.map((row) => [layerId(layerKeyIn(row)), row]));
    const labelsOf = group(labels, (row) => unitId(unitKeyIn(row)));
    const unitsOf = group(experts, (row) => layerId(layerKeyIn(row)));
    const isOverall = ({ layer }: LayerKey) => Number(layer !== null);
    this.layers = [...about.layers]
      .sort((a, b) => isOverall(a) - isOverall(b))
      .map(({ modules: _, experts: named, ...key }) => {
        const id = layerId(key);
        const units: Unit[] = [];
        const made: AtlasLayer = { ...key, set: { scope, experts: named }, row: rowOf.get(id), units };
        for (const row of unitsOf.get(id) ?? [])
          units.push({ key: unitKeyIn(row), layer: made, row, labels: labelsOf.get(unitId(unitKeyIn(row))) ?? [] });
        units.sort((a, b) => a.key.expert - b.key.expert);
        return made;
      });
    this.columns = Math.max(0, ...this.layers.map(({ units }) => units.length));
    this.layers.forEach(({ units }, row) =>
      units.forEach(({ key }, column) => this.#places.set(unitId(key), { row, column })),
    );
  }

  /** The layer's next one, in which something may follow it. */
  after(layer: AtlasLayer): AtlasLayer | undefined {
    return this.layers[this.layers.indexOf(layer) + 1];
  }

  placeOf(key: UnitKey): Place | undefined {
    return this.#places.get(unitId(key));
  }

  at({ row, column }: Place): Unit | undefined {
    return this.layers[row]?.units[column];
  }

  unit(key: UnitKey): Unit | undefined {
    const place = this.placeOf(key);
    return place && this.at(place);
  }

  get units(): readonly Unit[] {
    return this.layers.flatMap(({ units }) => units);
  }
}

export function nameOf(names: readonly OwnName[], key: UnitKey): OwnName | undefined {
  return names.find((one) => unitId(one) === unitId(key));
}

export const isDead = ({ row }: Unit): boolean => row['dead'] === true;

/** log2 of how far a unit's load is from its chance; −∞ if no token chose it. */
export const loadLift = ({ row }: Unit): number => Math.log2(number(row, 'load') / number(row, 'chance'));

/** From twice its chance. */
export const isOverloaded = (unit: Unit): boolean => loadLift(unit) >= 1;

/** A label's lift. A number without end does not survive being sent: a label that never chose the unit has −∞. */
export function liftOf(unit: Unit, row: Row | undefined): number {
  const isNever = row !== undefined && number(row, 'tokens') === 0 && !isDead(unit);
  return isNever ? -Infinity : number(row, 'lift');
}

/** The test of docs/atlas.md: large, significant and the same in both halves. */
export const isSpecialised = (row: Row | undefined): boolean => row?.['specialised'] === true;

/** The parts of that test which a label fails. */
export function failuresIn(unit: Unit, row: Row): Failure[] {
  if (isSpecialised(row)) return [];
  // In a half of which nothing is known the label never chose the unit: that number has no end.
  const half = (name: string) => (row[name] === null ? -Infinity : number(row, name));
  const tested = {
    lift: liftOf(unit, row),
    q: number(row, 'q'),
    halves: [half('firstHalf'), half('secondHalf')],
  } as const;
  const found = failuresOf(tested);
  // Or else it has no documents in that half.
  return found.length > 0 ? found : ['halves'];
}

/** Labels by lift, the largest first; those of which nothing is known come last. */
export function byLift(unit: Unit): Row[] {
  const order = (row: Row) => {
    const lift = liftOf(unit, row);
    return Number.isNaN(lift) ? -Infinity : Math.max(-1e9, lift);
  };
  return [...unit.labels].sort((a, b) => order(b) - order(a));
}

/** The label that may be offered as a name; empty if none passed the test. */
export const foundLabel = ({ row }: Unit): string => word(row, 'label');

/** Where random contexts lose how much of the next token's log-probability, beside another expert: top ones would flatter. */
export const costRow = (rows: readonly Row[]): Row | undefined =>
  rows.find((row) => row['kind'] === 'random' && row['effect'] === 'next');
