/** What colours the map: each unit's distance from what chance gives, and the mark that says more than a colour can. Pure. */
import { group } from 'd3-array';
import { number, unitKeyIn } from '../../src/atlas/tables/cells.js';
import type { Row } from '../../src/atlas/tables/table.js';
import { unitId } from '../../src/protocol/atlas.js';
import { costRow, isDead, isOverloaded, isSpecialised, liftOf, loadLift, foundLabel } from './model.js';
import type { Atlas, Unit } from './model.js';

export const colourings = ['load', 'lift', 'specialisation', 'entropy', 'ablation'] as const;
export type Colouring = (typeof colourings)[number];

/** `found`: specialised, or shown by a knock-out. */
export type Mark = 'dead' | 'overloaded' | 'found';

export interface Coloured {
  readonly by: Colouring;
  readonly label: string;
  /** 0: as chance gives; NaN: unknown; −∞: never chosen. */
  readonly valueOf: (unit: Unit) => number;
  readonly markOf: (unit: Unit) => Mark | undefined;
  /** The mark that the colouring uses beside `dead`. */
  readonly mark: Exclude<Mark, 'dead'>;
  /** Where the strongest colours begin, on either side of 0. */
  readonly most: number;
  /** Some values are beyond it. */
  readonly isCut: boolean;
}

interface Rule {
  readonly value: (unit: Unit) => number;
  readonly isMarked: (unit: Unit) => boolean;
  readonly mark: Coloured['mark'];
  /** The strongest colour stands for at least this much: small differences must not look large. */
  readonly least: number;
  /** And for at most so much: one large value must not make all others pale. */
  readonly limit: number;
}

/** @param ablations of all units */
export function colouredBy(
  atlas: Atlas,
  { by, label }: Pick<Coloured, 'by' | 'label'>,
  ablations: readonly Row[],
): Coloured {
  const { value, isMarked, mark, least, limit } = rules(label, ablations)[by];
  const sizes = atlas.units.map((unit) => Math.abs(value(unit))).filter(Number.isFinite);
  const largest = Math.max(least, ...sizes);
  const most = Math.min(limit, limit === Infinity ? largest : Math.ceil(largest));
  return {
    by,
    label,
    valueOf: value,
    markOf: (unit) => (isDead(unit) ? 'dead' : isMarked(unit) ? mark : undefined),
    mark,
    most,
    isCut: largest > most || atlas.units.some((unit) => value(unit) === -Infinity),
  };
}

function rules(label: string, ablations: readonly Row[]): Record<Colouring, Rule> {
  const costs = new Map(
    [...group(ablations, (row) => unitId(unitKeyIn(row)))].map(([id, rows]) => [id, costRow(rows)]),
  );
  const labelRow = (unit: Unit) => unit.labels.find((row) => row['label'] === label);
  const beyondChance = (row: Row | undefined, name: string) => number(row, name) - number(row, `${name}Chance`);
  const load = { isMarked: isOverloaded, mark: 'overloaded' } as const;
  return {
    load: { ...load, value: loadLift, least: 1, limit: 3 },
    lift: {
      value: (unit) => liftOf(unit, labelRow(unit)),
      isMarked: (unit) => isSpecialised(labelRow(unit)),
      mark: 'found',
      least: 1,
      limit: 3,
    },
    specialisation: {
      value: ({ row }) => beyondChance(row, 'specialisation'),
      isMarked: (unit) => foundLabel(unit) !== '',
      mark: 'found',
      least: 0.1,
      limit: Infinity,
    },
    entropy: { ...load, value: ({ layer }) => beyondChance(layer.row, 'entropy'), least: 0.05, limit: Infinity },
    ablation: {
      value: ({ key }) => number(costs.get(unitId(key)), 'difference'),
      isMarked: ({ key }) => costs.get(unitId(key))?.['hurts'] === true,
      mark: 'found',
      least: 0.01,
      limit: Infinity,
    },
  };
}
