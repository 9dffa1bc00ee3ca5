import { falseDiscovery } from '../../statistics/falseDiscovery.js';
import { chosenOf, liftOf } from '../lift.js';
import { failuresOf } from '../specialised.js';
import { type Counted, type Table, unitCells, unitColumns, units } from './table.js';

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
    specialised: failuresOf({ lift: value, q: q[at]!, halves }).length === 0,
  };
}
