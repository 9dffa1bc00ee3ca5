import { falseDiscovery } from '../../statistics/falseDiscovery.js';
import { chosenOf, liftOf } from '../lift.js';
import { type Counted, level, type Table, unitCells, unitColumns, units } from './table.js';

/** In size, of a lift: twice or half as often. */
const leastLift = 1;

export const labels = {
  name: 'labels',
  columns: {
    ...unitColumns,
    label: 'text',
    tokens: 'count',
    share: 'number',
    lift: 'number',
    low: 'number',
    high: 'number',
    p: 'number',
    q: 'number',
    firstHalf: 'number',
    secondHalf: 'number',
    specialised: 'flag',
  },
  rows: (from) => {
    const q = falseDiscovery(from.chance.p);
    return units(from.layout).flatMap((u) => from.labels.map((_, i) => rowOf(from, q, u, i)));
  },
} as const satisfies Table;

function rowOf({ layout, total, labels: all, chance }: Counted, q: Float64Array, u: number, i: number) {
  const [label, group] = all[i]!;
  const { value, share, low, high, halves } = liftOf(group, total, layout, u);
  const at = i * layout.units + u;
  return {
    ...unitCells(layout, u),
    label,
    tokens: chosenOf(group, u),
    share,
    lift: value,
    low,
    high,
    p: chance.p[at]!,
    q: q[at]!,
    firstHalf: halves[0],
    secondHalf: halves[1],
    specialised: isSpecialised(value, halves, q[at]!),
  };
}

function isSpecialised(lift: number, [first, second]: readonly [number, number], q: number): boolean {
  return (
    Math.abs(lift) >= leastLift &&
    q <= level &&
    Math.sign(first) === Math.sign(lift) &&
    Math.sign(second) === Math.sign(lift)
  );
}
