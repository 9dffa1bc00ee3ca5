import { sum } from '../../statistics/mean.js';
import { layerCells, layerColumns, type Table } from './table.js';

/** Every n up to this one; after that, powers of two. */
const allUpTo = 16;

export const coverage = {
  name: 'coverage',
  columns: { ...layerColumns, n: 'count', share: 'number', chance: 'number' },
  rows: ({ layout, total }) =>
    layout.layers.flatMap(({ experts }, l) => {
      const [found, measured] = total.chosen.map((half) => layout.of(half, l)) as [Float64Array, Float64Array];
      const most = [...found.keys()].sort((a, b) => found[b]! - found[a]! || a - b);
      const all = sum(measured);
      return counted(experts.length).map((n) => ({
        ...layerCells(layout, l),
        n,
        share: sum(most.slice(0, n).map((e) => measured[e]!)) / all,
        chance: n / experts.length,
      }));
    }),
} as const satisfies Table;

function counted(experts: number): number[] {
  const all = Array.from({ length: experts }, (_, i) => i + 1);
  return all.filter((n) => n <= allUpTo || n === experts || Number.isInteger(Math.log2(n)));
}
