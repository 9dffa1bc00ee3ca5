import type { Event } from 'vscode';
import type { Strategy } from './strategies/strategy.js';
import type { Intervention, Trace } from './trace/model/trace.js';

/** What other extensions get: `vscode.extensions.getExtension<GanderApi>('gander.gander')?.activate()`. See docs/extension-api.md. */
export interface GanderApi {
  /** The version of this interface. Within a version, members may be added; none is removed or changed. */
  readonly version: 1;

  /**
   * Routes a text and resolves with its trace. The same text under the same strategy and interventions is run once.
   * Rejects with an Error that has a `code` (`text-empty`, `text-too-long`, `pool-missing`, `cancelled`, …) and a
   * `remedy`, a sentence for a person.
   */
  route(text: string, options?: RouteOptions): Promise<Trace>;

  /** Fires when a range of a document was routed, whoever asked for it. */
  readonly onDidRoute: Event<RoutedEvent>;
}

export interface RouteOptions {
  /** Default: what the person's settings say. */
  readonly strategy?: Strategy;
  readonly interventions?: readonly Intervention[];
  /** Of an encoder-decoder: the output. Default: what it writes. */
  readonly target?: string;
  readonly signal?: AbortSignal;
  /** Tokens done, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
  /** The trace so far. */
  readonly onPartial?: (trace: Trace) => void;
}

export interface RoutedEvent {
  /** The document's, as a string. */
  readonly uri: string;
  /** The version of the document that was routed. */
  readonly version: number;
  /** The range, in UTF-16 code units from the start of the document. */
  readonly start: number;
  readonly end: number;
  readonly trace: Trace;
}

export type { Strategy } from './strategies/strategy.js';
export type { Intervention, Trace } from './trace/model/trace.js';
