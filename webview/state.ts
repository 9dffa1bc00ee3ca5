/** What the page remembers by itself: where one looks, not what was computed. Kept by the editor across reloads. */
import type { StrategyName } from '../src/trace/trace.js';

export const tabs = ['cell', 'summary', 'predictions', 'whatIf', 'compare'] as const;
export type Tab = (typeof tabs)[number];

/** Which runs the grid draws: this one, the one it is compared with, or where the two differ. */
export const gridSources = ['main', 'other', 'difference'] as const;
export type GridSource = (typeof gridSources)[number];

export interface Selection {
  /** −1: none. */
  readonly token: number;
  /** Layer number; −1: all layers. */
  readonly layer: number;
  /** Index on the module axis; −1: the layer as a whole, or all layers. */
  readonly module: number;
}

export interface Filter {
  /** Expert ids; empty: all. */
  readonly experts: readonly string[];
  readonly layers: readonly [from: number, to: number] | null;
  /** Empty: all. */
  readonly kinds: readonly string[];
  /** Least routing weight. */
  readonly weight: number;
  /** Show only choices closer than this; null: all. */
  readonly margin: number | null;
}

export interface Zoom {
  /** CSS pixels of a cell; a row may be higher than a token is wide. */
  readonly width: number;
  readonly height: number;
  /** First token and row in view, in cells, fractional. */
  readonly token: number;
  readonly row: number;
}

export interface WhatIfForm {
  readonly action: 'knock-out' | 'force' | 'tilt';
  readonly expert: string;
  readonly amount: number;
  /** `all`, `layer:7`, `kind:q` or `module:<path>`. */
  readonly where: string;
  readonly tokenOnly: boolean;
}

export interface View {
  readonly version: 1;
  readonly tab: Tab;
  readonly selection: Selection;
  readonly filter: Filter;
  readonly filterOpen: boolean;
  readonly generateOpen: boolean;
  /** Layers whose modules are shown as rows of their own. */
  readonly expanded: 'all' | readonly number[];
  /** Null: everything fits. */
  readonly zoom: Zoom | null;
  readonly gridSource: GridSource;
  /** There was another side when last seen. */
  readonly comparing: boolean;
  /** With a what-if: choices that stayed are faded. */
  readonly fadeUnchanged: boolean;
  /** Share of the height that the text has, of the width (or height) that the views beside it have. */
  readonly textShare: number;
  readonly sideShare: number;
  readonly bottomShare: number;
  /** Charts shown as tables, by name. */
  readonly tables: readonly string[];
  readonly generate: { readonly tokens: number; readonly temperature: number; readonly seed: number };
  readonly whatIf: WhatIfForm;
  readonly compareWith: StrategyName | '';
  /** Expert whose most attracted tokens are listed; an index, −1: the most used one. */
  readonly attracted: number;
}

export const initial: View = {
  version: 1,
  tab: 'cell',
  selection: { token: -1, layer: -1, module: -1 },
  filter: { experts: [], layers: null, kinds: [], weight: 0, margin: null },
  filterOpen: false,
  generateOpen: false,
  expanded: [],
  zoom: null,
  gridSource: 'main',
  comparing: false,
  fadeUnchanged: true,
  textShare: 0.36,
  sideShare: 0.36,
  bottomShare: 0.4,
  tables: [],
  generate: { tokens: 32, temperature: 0, seed: 1 },
  whatIf: { action: 'knock-out', expert: '', amount: 1, where: 'all', tokenOnly: false },
  compareWith: '',
  attracted: -1,
};

/** A state that another version wrote, or nobody, is forgotten; fields that are not of the right type fall back one by one. */
export function restore(kept: unknown): View {
  if (typeof kept !== 'object' || kept === null || (kept as Partial<View>).version !== initial.version) return initial;
  const view: Record<string, unknown> = { ...initial };
  for (const [key, fallback] of Object.entries(initial)) {
    const value = (kept as Record<string, unknown>)[key];
    if (sameShape(value, fallback) || (key === 'zoom' && isZoom(value)) || (key === 'expanded' && value === 'all'))
      view[key] = value;
  }
  const restored = view as unknown as View;
  return {
    ...restored,
    tab: tabs.includes(restored.tab) ? restored.tab : initial.tab,
    gridSource: gridSources.includes(restored.gridSource) ? restored.gridSource : initial.gridSource,
  };
}

function sameShape(value: unknown, like: unknown): boolean {
  if (like === null) return value === null;
  if (Array.isArray(like)) return Array.isArray(value);
  if (typeof like !== 'object')
    return typeof value === typeof like && (typeof value !== 'number' || Number.isFinite(value));
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(like).every(([key, inner]) => {
    const own = (value as Record<string, unknown>)[key];
    // Where null stands for "no limit" a value is as good.
    return inner === null ? own !== undefined : sameShape(own, inner);
  });
}

function isZoom(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['width', 'height', 'token', 'row'].every((key) => Number.isFinite((value as Record<string, unknown>)[key]))
  );
}
