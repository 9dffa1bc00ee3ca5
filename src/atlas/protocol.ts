/** What the page of an atlas and its host say to each other. */
import type { About } from './about.js';
import type { TableName } from './tables/index.js';
import type { Row } from './tables/table.js';
import type { Answering, Asking } from '../channel/messages.js';
import type { UnitKey } from '../protocol/atlas.js';
import type { FigureMessage } from '../protocol/panel.js';

export type { UnitKey };

/** What a person wrote about a unit; kept in the atlas, in `names.json`. */
export interface OwnName extends UnitKey {
  readonly name: string;
  readonly note: string;
}

/** A cell must equal each value given. */
export type Where = Readonly<Partial<Record<keyof UnitKey | 'label' | 'token' | 'kind', string | number | null>>>;

/** Null where an expert has none. A row as those of the tables. */
export type SimilarUnit = UnitKey & { readonly gate: number | null; readonly adapter: number | null };

export type AtlasMessage =
  /** Everything that the page shows at once; the host answers the rest when it is asked. */
  | {
      readonly type: 'atlas';
      readonly title: string;
      readonly about: About;
      readonly layers: readonly Row[];
      readonly experts: readonly Row[];
      readonly labels: readonly Row[];
      readonly names: readonly OwnName[];
    }
  /** Go to a unit's page; sent when one comes from the tree, a hover or the panel. */
  | { readonly type: 'unit'; readonly unit: UnitKey }
  | { readonly type: 'names'; readonly names: readonly OwnName[] };

type PdfData = Extract<FigureMessage, { readonly kind: 'pdf' }>['data'];

/** What the page asks for; each answer comes over the channel. */
export interface AtlasCalls {
  readonly rows: {
    readonly request: { readonly table: TableName; readonly where: Where };
    readonly result: readonly Row[];
  };
  /** Rows of `tokens` whose token contains the text, over all units. */
  readonly find: { readonly request: { readonly token: string }; readonly result: readonly Row[] };
  /** Routes a text with the chosen model, if it is the atlas's: each unit's share of the choices at its layer. */
  readonly text: {
    readonly request: { readonly text: string };
    readonly result: readonly (UnitKey & { readonly share: number })[];
  };
  /** The similarity of a pool's other experts to a unit's, in its layer: cosines of their gates and their adapters. */
  readonly similar: { readonly request: { readonly unit: UnitKey }; readonly result: readonly SimilarUnit[] };
  /** Opens a document at a place, in UTF-16 code units, and routes it there. `sequence` 1: the place is in the output. */
  readonly open: {
    readonly request: {
      readonly document: string;
      readonly sequence: 0 | 1;
      readonly start: number;
      readonly end: number;
    };
    readonly result: undefined;
  };
  readonly name: { readonly request: OwnName; readonly result: undefined };
  /** Saves what the page drew or wrote. */
  readonly save: {
    readonly request:
      | { readonly kind: 'csv' | 'svg' | 'json' | 'html' | 'md'; readonly name: string; readonly data: string }
      | { readonly kind: 'png'; readonly name: string; readonly data: ArrayBuffer }
      | { readonly kind: 'pdf'; readonly name: string; readonly data: PdfData };
    readonly result: undefined;
  };
}

export type AtlasNotice =
  | { readonly type: 'ready' }
  | Extract<FigureMessage, { readonly type: 'copy' | 'log' }>
  /** Show how alike all experts of the pool are. */
  | { readonly type: 'compareExperts' };

export type AtlasHostPost = AtlasMessage | Answering;

export type AtlasPagePost = AtlasNotice | Asking;
