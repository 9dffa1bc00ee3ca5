import { otherTokens, tokenKinds, type TokenKind } from '../figures/vocabulary.js';
import { choicesAt, chosenOf } from '../lift.js';
import { sum } from '../../statistics/mean.js';
import { leastOccurrences } from '../../trace/figures/specialisation.js';
import { type Counted, type Table, unitCells, unitColumns, units } from './table.js';

/** Per unit and kind: the tokens furthest above what is expected. */
const mostTokens = 50;

export const tokens = {
  name: 'tokens',
  columns: {
    ...unitColumns,
    kind: 'text',
    id: 'count',
    token: 'text',
    count: 'count',
    expected: 'number',
    lift: 'number',
  },
  rows: (from) => {
    const occurring = Object.fromEntries(tokenKinds.map((kind) => [kind, occurrences(from, kind)])) as Record<
      TokenKind,
      Occurring
    >;
    return units(from.layout).flatMap((u) => tokenKinds.flatMap((kind) => rowsOf(from, kind, u, occurring[kind])));
  },
} as const satisfies Table;

/** By token id: [L] how many choices the layer's units made at the token. */
type Occurring = ReadonlyMap<number, Float64Array>;

function occurrences({ layout, figures }: Counted, kind: TokenKind): Occurring {
  return new Map(
    [...figures.vocabulary.counts[kind]].map(([id, counts]) => [
      id,
      Float64Array.from(layout.layers, (_, l) => sum(layout.of(counts, l))),
    ]),
  );
}

function rowsOf({ layout, figures, total }: Counted, kind: TokenKind, u: number, occurring: Occurring) {
  const l = layout.layerOf[u]!;
  const load = chosenOf(total, u) / choicesAt(total, l);
  return [...figures.vocabulary.counts[kind]]
    .map(([id, counts]) => ({ id, count: counts[u]!, expected: load * occurring.get(id)![l]! }))
    .filter(({ id, count }) => id !== otherTokens && count >= leastOccurrences)
    .sort((a, b) => b.count - b.expected - (a.count - a.expected) || a.id - b.id)
    .slice(0, mostTokens)
    .map(({ id, count, expected }) => ({
      ...unitCells(layout, u),
      kind,
      id,
      token: figures.vocabulary.texts.get(id) ?? null,
      count,
      expected,
      lift: Math.log2(count / expected),
    }));
}
