/** What the page remembers by itself: where one looks, not what was computed. Kept by the editor across reloads. */
import { colourings, overlays, type Colouring, type Overlay } from '../../src/trace/figures/colouring.js';

export const tabs = ['cell', 'summary', 'predictions', 'whatIf', 'lens', 'compare'] as const;
export type Tab = (typeof tabs)[number];

/** Which run the grid draws. */
export const gridSources = ['main', 'other'] as const;
export type GridSource = (typeof gridSources)[number];

/** `auto`: the text is folded while its editor stands beside the panel. */
export const textPanes = ['auto', 'shown', 'folded'] as const;
export type TextPane = (typeof textPanes)[number];

/** How the map is drawn: tokens across, or lines down; `auto`: lines where there is no room for more. */
export const mapForms = ['auto', 'grid', 'lines'] as const;
export type MapForm = (typeof mapForms)[number];

/** What the columns beside the lines are. */
export const lineColumnKinds = ['layers', 'experts'] as const;
export type LineColumns = (typeof lineColumnKinds)[number];

export interface Selection {
  /** Which sequence `token` counts in. */
  readonly sequence: number;
  /** −1: none. */
  readonly token: number;
  /** Past the last of the tokens of a line; absent: one token alone. */
  readonly end?: number;
  /** Key of a layer (`layerKey`); empty: all layers. */
  readonly layer: string;
  /** Index on the site axis; −1: the layer as a whole, or all layers. */
  readonly site: number;
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
  /** First column and row in view, in cells, fractional. */
  readonly token: number;
  readonly row: number;
}

export const whatIfActions = ['knock-out', 'force', 'logit-bias'] as const;

export interface WhatIfForm {
  readonly action: (typeof whatIfActions)[number];
  readonly expert: string;
  readonly amount: number;
  /** `all`, `layer:<key>`, `kind:q` or `module:<path>`. */
  readonly where: string;
  readonly tokenOnly: boolean;
  /** Only in the part of the text that one looks at, if in any. */
  readonly scopeOnly: boolean;
}

export interface View {
  readonly version: 2;
  readonly tab: Tab;
  readonly selection: Selection;
  readonly filter: Filter;
  /** Key of the part of the text that one looks at (src/trace/text/scopes.ts); empty: all of it. */
  readonly scope: string;
  readonly filterOpen: boolean;
  readonly generateOpen: boolean;
  readonly legendOpen: boolean;
  readonly textPane: TextPane;
  /** The map has the whole page. */
  readonly maximised: boolean;
  /** Keys of the layers whose sites are rows of their own. */
  readonly expanded: 'all' | readonly string[];
  /** Null: everything fits. */
  readonly zoom: Zoom | null;
  readonly map: MapForm;
  readonly lineColumns: LineColumns;
  /** Null: as high as in the editor. */
  readonly lineZoom: Zoom | null;
  readonly gridSource: GridSource;
  /** There was another side when last seen. */
  readonly comparing: boolean;
  /** With a what-if: choices that stayed are faded. */
  readonly fadeUnchanged: boolean;
  /** What gives text and grid their colours. */
  readonly colouring: Colouring;
  readonly overlay: Overlay;
  /** Key of the layer whose experts colour a text; empty: the first. */
  readonly colourLayer: string;
  /** Key of the layer whose routers are measured, where a number colours a text; empty: all. */
  readonly measureLayer: string;
  /** Ids of experts that have a colour though few tokens go to them. */
  readonly pinned: readonly string[];
  /** Share of the height that the text has, of the width that the views beside it have; `top`, `bottom`: when they stand in one column. */
  readonly textShare: number;
  readonly topShare: number;
  readonly sideShare: number;
  readonly bottomShare: number;
  /** Charts shown as tables, by name. */
  readonly tables: readonly string[];
  readonly generate: { readonly tokens: number; readonly temperature: number; readonly seed: number };
  readonly whatIf: WhatIfForm;
  /** Name of a strategy; empty: none chosen yet. */
  readonly compareWith: string;
  /** Id, where that strategy is of one expert; empty: none chosen yet. */
  readonly compareExpert: string;
  /** Expert whose most attracted tokens are listed; an index, −1: the most used one. */
  readonly attracted: number;
}

export const initial: View = {
  version: 2,
  tab: 'cell',
  selection: { sequence: 0, token: -1, layer: '', site: -1 },
  filter: { experts: [], layers: null, kinds: [], weight: 0, margin: null },
  scope: '',
  filterOpen: false,
  generateOpen: false,
  legendOpen: false,
  textPane: 'auto',
  maximised: false,
  expanded: [],
  zoom: null,
  map: 'auto',
  lineColumns: 'layers',
  lineZoom: null,
  gridSource: 'main',
  comparing: false,
  fadeUnchanged: true,
  colouring: 'experts',
  overlay: '',
  colourLayer: '',
  measureLayer: '',
  pinned: [],
  textShare: 0.36,
  topShare: 0.18,
  sideShare: 0.36,
  bottomShare: 0.4,
  tables: [],
  generate: { tokens: 32, temperature: 0, seed: 1 },
  whatIf: { action: 'knock-out', expert: '', amount: 1, where: 'all', tokenOnly: false, scopeOnly: true },
  compareWith: '',
  compareExpert: '',
  attracted: -1,
};

/** A state that another version wrote, or none at all, is forgotten; fields that are not of the right type fall back one by one. */
export function restore(kept: unknown): View {
  if (typeof kept !== 'object' || kept === null || (kept as Partial<View>).version !== initial.version) return initial;
  const view: Record<string, unknown> = { ...initial };
  for (const [key, fallback] of Object.entries(initial)) {
    const value = (kept as Record<string, unknown>)[key];
    if (
      sameShape(value, fallback) ||
      ((key === 'zoom' || key === 'lineZoom') && isZoom(value)) ||
      (key === 'expanded' && value === 'all')
    )
      view[key] = value;
  }
  const restored = view as unknown as View;
  const known = <T extends string>(names: readonly T[], value: T, fallback: T): T =>
    names.includes(value) ? value : fallback;
  return {
    ...restored,
    tab: known(tabs, restored.tab, initial.tab),
    gridSource: known(gridSources, restored.gridSource, initial.gridSource),
    colouring: known(colourings, restored.colouring, initial.colouring),
    overlay: known(overlays, restored.overlay, initial.overlay),
    textPane: known(textPanes, restored.textPane, initial.textPane),
    map: known(mapForms, restored.map, initial.map),
    lineColumns: known(lineColumnKinds, restored.lineColumns, initial.lineColumns),
    whatIf: { ...restored.whatIf, action: known(whatIfActions, restored.whatIf.action, initial.whatIf.action) },
  };
}

function sameShape(value: unknown, like: unknown): boolean {
  if (like === null) return value === null;
  // All lists here are of text, but for a range of layers.
  if (Array.isArray(like)) return Array.isArray(value) && value.every((one) => typeof one === 'string');
  if (typeof like !== 'object')
    return typeof value === typeof like && (typeof value !== 'number' || Number.isFinite(value));
  if (typeof value !== 'object' || value === null) return false;
  const { end } = value as Partial<Selection>;
  if (end !== undefined && !Number.isInteger(end)) return false;
  return Object.entries(like).every(([key, inner]) => {
    const own = (value as Record<string, unknown>)[key];
    // Null stands for "no limit"; a value may stand there as well.
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
