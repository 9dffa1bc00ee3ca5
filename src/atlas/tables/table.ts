/** A table: its columns with their types, and how its rows are made from the sums. */
import type { Ablated } from '../ablation.js';
import type { Chance } from '../chance.js';
import type { Group } from '../figures/choices.js';
import type { Layout } from '../layout.js';
import type { Figures } from '../sums.js';

/** `count`: whole numbers. An undefined number is NaN in a row and null in a file. */
export type ColumnType = 'text' | 'count' | 'number' | 'flag';

export type Cell = string | number | boolean | null;

export type Row = Readonly<Record<string, Cell>>;

/** What all tables are made from. */
export interface Counted {
  readonly layout: Layout;
  readonly figures: Figures;
  /** Over all documents. */
  readonly total: Group;
  readonly labels: readonly (readonly [label: string, group: Group])[];
  readonly chance: Chance;
  readonly ablated: readonly Ablated[];
}

/** False discovery rate: at most this share of what is called found is there by chance. */
export const level = 0.05;

export interface Table {
  readonly name: string;
  readonly columns: Readonly<Record<string, ColumnType>>;
  rows(from: Counted): Row[];
}

/** The columns that identify a row's layer. `layer` is null for all layers together, `router` if the layer has one. */
export const layerColumns = { stack: 'text', layer: 'count', router: 'text' } as const;

/** Columns that atlases of earlier versions lack; they are null there. */
export const later: ReadonlySet<string> = new Set(['router']);

/** Likewise its unit. */
export const unitColumns = { ...layerColumns, expert: 'count', name: 'text' } as const;

export function layerCells({ layers }: Layout, l: number) {
  const { stack, layer, router } = layers[l]!;
  return { stack, layer, router };
}

export function unitCells(layout: Layout, u: number) {
  const l = layout.layerOf[u]!;
  const expert = u - layout.starts[l]!;
  return { ...layerCells(layout, l), expert, name: layout.layers[l]!.experts[expert]!.id };
}

export function units({ units: count }: Layout): number[] {
  return Array.from({ length: count }, (_, u) => u);
}
