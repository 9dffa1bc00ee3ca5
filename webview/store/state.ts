/** What the page itself remembers: what the user is looking at, not what was computed. The editor keeps it across reloads. */
import { colourings, overlays, type Colouring, type Overlay } from '../../src/trace/figures/colouring.js';
import { words, type Word } from '../../src/words/words.js';

type Named<Label extends Word> = Label extends `tab_${infer Name}` ? Name : never;

/** A view beside the map, by what follows `tab_` in the word on its tab; what it shows is in app/views.tsx. */
export type Tab = Named<Word>;

/** Which run the map shows. */
export const gridSources = ['main', 'other'] as const;
export type GridSource = (typeof gridSources)[number];

/** `auto`: the text is folded while its editor is visible. */
export const textPanes = ['auto', 'shown', 'folded'] as const;
export type TextPane = (typeof textPanes)[number];

/** How the map is drawn: tokens across, or lines down; `auto`: undecided, lines where the tabs are below the map. */
export const mapForms = ['auto', 'grid', 'lines'] as const;
export type MapForm = (typeof mapForms)[number];

/** What the columns beside the lines are. */
export const lineColumnKinds = ['layers', 'experts'] as const;
export type LineColumns = (typeof lineColumnKinds)[number];

export interface Selection {
  /** Which sequence `token` is in. */
  readonly sequence: number;
  /** −1: none. */
  readonly token: number;
  /** Past the last selected token; absent: only one is selected. */
  readonly end?: number;
  /** Key of a layer (`layerKey`); empty: all layers. */
  readonly layer: string;
  /** Index in the trace's `sites`; −1: the layer as a whole, or all layers. */
  readonly module: number;
}

/** No layer in particular. */
export const allLayers = { layer: '', module: -1 } as const;

export interface Filter {
  /** Expert ids; empty: all. */
  readonly experts: readonly string[];
  readonly layers: readonly [from: number, to: number] | null;
  /** Empty: all. */
  readonly kinds: readonly string[];
  /** The smallest routing weight that is shown. */
  readonly weight: number;
  /** Show only choices with at most this margin; null: all. */
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
  /** Only in the scope, if there is one. */
  readonly scopeOnly: boolean;
}

export interface View {
  readonly version: 2;
  readonly tab: Tab;
  readonly selection: Selection;
  readonly filter: Filter;
  /** Key of the scope (src/trace/text/scopes.ts); empty: the whole text. */
  readonly scope: string;
  readonly filterOpen: boolean;
  readonly generateOpen: boolean;
  readonly legendOpen: boolean;
  readonly textPane: TextPane;
  /** The map fills the page. */
  readonly maximised: boolean;
  /** Keys of the layers whose routed modules have rows of their own. */
  readonly expanded: 'all' | readonly string[];
  /** Null: everything fits. */
  readonly zoom: Zoom | null;
  readonly map: MapForm;
  readonly lineColumns: LineColumns;
  /** Null: as high as in the editor. */
  readonly lineZoom: Zoom | null;
  readonly gridSource: GridSource;
  /** There was another side when the page was last seen. */
  readonly comparing: boolean;
  /** There was an attribution when the page was last seen. */
  readonly attributed: boolean;
  /** With a what-if: choices that did not change are faded. */
  readonly fadeUnchanged: boolean;
  /** What colours text and map. */
  readonly colouring: Colouring;
  readonly overlay: Overlay;
  /** The attribution that there is does not colour the text, although its tab is open: something else was chosen. */
  readonly passedOver: boolean;
  /** Key of the layer whose experts colour the text; empty: the first. */
  readonly colourLayer: string;
  /** Key of the layer whose routers are measured if a number colours the text; empty: all. */
  readonly measureLayer: string;
  /** Ids of experts that have a colour although few tokens go to them. */
  readonly pinned: readonly string[];
  /** The text's share of the height, and the tabs' share of the width; `top`, `bottom`: when they are in one column. */
  readonly textShare: number;
  readonly topShare: number;
  readonly sideShare: number;
  readonly bottomShare: number;
  /** Charts shown as tables, by name. */
  readonly tables: readonly string[];
  readonly generate: { readonly tokens: number; readonly temperature: number; readonly seed: number };
  readonly whatIf: WhatIfForm;
  /** The model whose experts and modules the what-if is about as the trace names it; empty: none yet. */
  readonly whatIfOf: string;
  /** Name of a strategy; empty: none chosen yet. */
  readonly compareWith: string;
  /** Id of the expert, if that strategy needs one; empty: none chosen yet. */
  readonly compareExpert: string;
  /** Index of the expert whose most attracted tokens are listed; −1: the most used one. */
  readonly attracted: number;
}

export const initial: View = {
  version: 2,
  tab: 'cell',
  selection: { sequence: 0, token: -1, ...allLayers },
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
  attributed: false,
  fadeUnchanged: true,
  colouring: 'experts',
  overlay: '',
  passedOver: false,
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
  whatIfOf: '',
  compareWith: '',
  compareExpert: '',
  attracted: -1,
};

/** A state from another version is dropped; fields of the wrong type fall back one by one. */
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
    tab: Object.hasOwn(words, `tab_${restored.tab}`) ? restored.tab : initial.tab,
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
  // All lists here are of text, except for a range of layers.
  if (Array.isArray(like)) return Array.isArray(value) && value.every((one) => typeof one === 'string');
  if (typeof like !== 'object')
    return typeof value === typeof like && (typeof value !== 'number' || Number.isFinite(value));
  if (typeof value !== 'object' || value === null) return false;
  const { end } = value as Partial<Selection>;
  if (end !== undefined && !Number.isInteger(end)) return false;
  return Object.entries(like).every(([key, inner]) => {
    const own = (value as Record<string, unknown>)[key];
    // Null means "no limit"; a value is allowed there too.
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
