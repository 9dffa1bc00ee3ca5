/** What the child that reads and makes atlases is asked. */
import type { ErrorData } from '../errors/errors.js';
import type { EngineOptions, ServerAccess } from '../requests/api.js';
import type { Strategy } from '../strategies/strategy.js';
import type { About, CorpusAbout, LeftOut } from './about.js';
import type { Pace } from './pace.js';
import type { OwnName, Where } from './protocol.js';
import type { TableName } from './tables/index.js';
import type { Row } from './tables/table.js';

/** What is known of an atlas at once. */
export interface OpenedAtlas {
  readonly about: About;
  readonly layers: readonly Row[];
  readonly experts: readonly Row[];
  readonly labels: readonly Row[];
  readonly names: readonly OwnName[];
  /** Why there are no names; the rest can be shown all the same. */
  readonly namesError?: ErrorData;
}

/** Where a document is, as the atlas says. */
export interface DocumentPlace {
  readonly place: string;
  readonly hash: string;
}

/** A document as it is now. `fields`: of a row. */
export interface DocumentRequest {
  /** The file with an absolute path; for a row with a colon and the row's number at the end. */
  readonly place: string;
  readonly fields: { readonly text: string; readonly target: string | null };
}

export interface ReadingCalls {
  readonly open: { readonly request: { readonly folder: string }; readonly result: OpenedAtlas };
  readonly rows: {
    readonly request: { readonly folder: string; readonly table: TableName; readonly where: Where };
    readonly result: readonly Row[];
  };
  readonly find: {
    readonly request: { readonly folder: string; readonly token: string };
    readonly result: readonly Row[];
  };
  readonly name: {
    readonly request: { readonly folder: string; readonly name: OwnName };
    readonly result: readonly OwnName[];
  };
  readonly place: {
    readonly request: { readonly folder: string; readonly document: string };
    readonly result: DocumentPlace;
  };
  readonly document: {
    readonly request: DocumentRequest;
    /** `target`: the output that the row gives. */
    readonly result: { readonly text: string; readonly hash: string; readonly target?: string };
  };
}

/** What routes the documents. */
export type ModelChoice =
  | (Omit<EngineOptions, 'server'> & { readonly deadlineMs: number })
  | {
      readonly address: string;
      readonly access: Omit<ServerAccess, 'patienceMs'>;
      readonly deadlineMs: number;
    };

export interface CorpusRequest {
  /** Absolute files and folders. */
  readonly given: readonly string[];
  readonly corpus: CorpusAbout;
  readonly model: ModelChoice;
  readonly asked: { readonly strategy?: Strategy; readonly interventions: readonly [] };
}

/** What an atlas would take. */
export interface Plan {
  readonly documents: number;
  readonly bytes: number;
  readonly labels: readonly string[];
  readonly leftOut: readonly LeftOut[];
  /** By the first documents, which were run; absent if none was. */
  readonly estimate?: { readonly tokens: number; readonly seconds: number; readonly from: number };
}

export interface MakingCalls {
  readonly fields: { readonly request: Pick<CorpusRequest, 'given'>; readonly result: readonly string[] };
  readonly look: { readonly request: CorpusRequest; readonly result: Plan };
  readonly make: {
    /** `target`: the folder to write. */
    readonly request: CorpusRequest & { readonly target: string };
    readonly result: About['totals'];
    readonly part: Pace;
  };
}
