import { type Ablated, effects } from '../ablation.js';
import { contextKinds } from '../figures/contexts.js';
import { sum } from '../../statistics/mean.js';
import { leastUnits, stratified } from '../../statistics/stratified.js';
import { falseDiscovery } from '../../statistics/falseDiscovery.js';
import { chanceOfLess } from '../../statistics/signFlips.js';
import { level, type Table, unitCells, unitColumns } from './table.js';

export const ablations = {
  name: 'ablations',
  columns: {
    ...unitColumns,
    kind: 'text',
    effect: 'text',
    contexts: 'count',
    documents: 'count',
    change: 'number',
    low: 'number',
    high: 'number',
    matched: 'number',
    difference: 'number',
    differenceLow: 'number',
    differenceHigh: 'number',
    p: 'number',
    q: 'number',
    hurts: 'flag',
  },
  rows: ({ layout, ablated }) => {
    const units = [...new Set(ablated.map(({ unit }) => unit))].sort((a, b) => a - b);
    const rows = units.flatMap((u) =>
      contextKinds.flatMap((kind) => {
        const own = ablated.filter((one) => one.unit === u && one.kind === kind);
        return effects.map((effect) => ({ ...unitCells(layout, u), kind, effect, ...rowOf(own, effect) }));
      }),
    );
    const q = falseDiscovery(Float64Array.from(rows, ({ p }) => p));
    return rows.map((row, i) => ({ ...row, q: q[i]!, hurts: Number.isNaN(q[i]) ? null : q[i]! <= level }));
  },
} as const satisfies Table;

/** Over contexts with both changes; the documents are the sample. */
function rowOf(ablated: readonly Ablated[], effect: (typeof effects)[number]) {
  const documents = new Map<string, { own: number; matched: number; contexts: number }>();
  const ordered = [...ablated].sort((a, b) =>
    a.document < b.document ? -1 : a.document > b.document ? 1 : a.token - b.token,
  );
  for (const { document, own, matched } of ordered) {
    const [change, other] = [own[effect], matched[effect]];
    if (change === null || other === null) continue;
    const known = documents.get(document) ?? { own: 0, matched: 0, contexts: 0 };
    documents.set(document, {
      own: known.own + change,
      matched: known.matched + other,
      contexts: known.contexts + 1,
    });
  }
  const all = [...documents.values()];
  const wholes = all.map(({ contexts }) => contexts);
  const change = stratified([{ parts: all.map(({ own }) => own), wholes }]);
  const difference = stratified([{ parts: all.map(({ own, matched }) => own - matched), wholes }]);
  return {
    contexts: sum(wholes),
    documents: all.length,
    change: change.value,
    low: change.low,
    high: change.high,
    matched: change.value - difference.value,
    difference: difference.value,
    differenceLow: difference.low,
    differenceHigh: difference.high,
    p: all.length < leastUnits ? NaN : chanceOfLess(all.map(({ own, matched }) => own - matched)),
  };
}
