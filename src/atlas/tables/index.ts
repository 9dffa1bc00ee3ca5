/** The tables of an atlas. A new table needs a file and a line here. */
import { chanceOf } from '../chance.js';
import type { Ablated } from '../ablation.js';
import type { Sums } from '../sums.js';
import { ablations } from './ablations.js';
import { contexts } from './contexts.js';
import { coverage } from './coverage.js';
import { documents } from './documents.js';
import { experts } from './experts.js';
import { labels } from './labels.js';
import { layers } from './layers.js';
import { pairs } from './pairs.js';
import type { Row } from './table.js';
import { tokens } from './tokens.js';

export const tables = { experts, labels, tokens, contexts, layers, pairs, coverage, documents, ablations };

export type TableName = keyof typeof tables;

export const tableNames = Object.keys(tables) as TableName[];

export type Tables = Readonly<Record<TableName, readonly Row[]>>;

export interface Read {
  readonly tables: Tables;
  /** How often labels were shuffled among documents. */
  readonly shuffles: number;
}

export function tablesOf({ layout, figures }: Sums, ablated: readonly Ablated[] = []): Read {
  const { choices } = figures;
  const chance = chanceOf(choices, layout);
  const from = { layout, figures, total: choices.total, labels: choices.labels, chance, ablated };
  const rows = Object.fromEntries(tableNames.map((name) => [name, tables[name].rows(from)]));
  return { tables: rows as unknown as Tables, shuffles: chance.shuffles };
}
