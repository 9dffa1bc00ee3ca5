import { contextKinds } from '../figures/contexts.js';
import { type Table, unitCells, unitColumns, units } from './table.js';

export const contexts = {
  name: 'contexts',
  columns: {
    ...unitColumns,
    kind: 'text',
    rank: 'count',
    document: 'text',
    sequence: 'count',
    token: 'count',
    weight: 'number',
    before: 'text',
    text: 'text',
    after: 'text',
    start: 'count',
    end: 'count',
  },
  rows: ({ layout, figures }) =>
    units(layout).flatMap((u) =>
      contextKinds.flatMap((kind) =>
        figures.contexts.kept[kind][u]!.map(({ hash: _, ...context }, rank) => ({
          ...unitCells(layout, u),
          kind,
          rank,
          ...context,
        })),
      ),
    ),
} as const satisfies Table;
