import { pairsOf } from '../../statistics/pairs.js';
import { chosenOf } from '../lift.js';
import { type Counted, layerCells, layerColumns, type Table } from './table.js';

/** Per layer and kind: the pairs furthest above what is expected. */
const mostPairs = 1000;

export const pairs = {
  name: 'pairs',
  columns: {
    ...layerColumns,
    kind: 'text',
    a: 'count',
    b: 'count',
    count: 'count',
    expected: 'number',
    lift: 'number',
  },
  rows: (from) => from.layout.layers.flatMap((_, l) => [...together(from, l), ...following(from, l)]),
} as const satisfies Table;

interface Found {
  readonly a: number;
  readonly b: number;
  readonly count: number;
  readonly expected: number;
}

function rowsOf({ layout }: Counted, l: number, kind: 'together' | 'next layer', found: readonly Found[]) {
  return found
    .slice(0, mostPairs)
    .map((pair) => ({ ...layerCells(layout, l), kind, ...pair, lift: Math.log2(pair.count / pair.expected) }));
}

function together(from: Counted, l: number) {
  const { together: tables, cells } = from.figures.pairs;
  const found = pairsOf({ counts: tables[l]!, cells: cells[l]!, share: new Float64Array(), chance: NaN });
  return rowsOf(from, l, 'together', found);
}

function following(from: Counted, l: number) {
  const { following: tables, steps } = from.figures.pairs;
  const { layout, total } = from;
  const width = layout.layers[l + 1]?.experts.length ?? 0;
  const of = (layer: number, e: number) => chosenOf(total, layout.starts[layer]! + e);
  const found: Found[] = [];
  tables[l]!.forEach((count, i) => {
    const [a, b] = [Math.floor(i / width), i % width];
    if (count > 0) found.push({ a, b, count, expected: (of(l, a) * of(l + 1, b)) / steps[l]! });
  });
  found.sort((x, y) => y.count - y.expected - (x.count - x.expected) || x.a - y.a || x.b - y.b);
  return rowsOf(from, l, 'next layer', found);
}
