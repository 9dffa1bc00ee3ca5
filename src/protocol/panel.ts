import type { Answering, Asking } from '../channel/messages.js';
import type { ModelAtlas, UnitKey } from './atlas.js';
import type { Drawing } from '../paper/sheet.js';
import type { Attribution, Lens } from '../requests/api.js';
import type { Overlay, TextColour } from '../trace/figures/colouring.js';
import type { Intervention, Trace } from '../trace/model/trace.js';
import type { LineRun } from '../trace/text/lines.js';
import type { TraceHead, TracePiece } from '../transport/pieces.js';
import type { ErrorData } from '../errors/errors.js';
import type { SourceDescription } from '../requests/description.js';
import type { RunRequestName } from '../requests/table.js';
import type { Strategy } from '../strategies/strategy.js';

/** Which of the two sides a trace belongs to; `other` is what it is compared with. */
export type Side = 'main' | 'other';

/** How a model wrote a text, as it was then. A later run may read the same text as other tokens, and in another way. */
export interface Written {
  /** Of tokens. */
  readonly count: number;
  /** How many tokens it was asked for, if it was not stopped. */
  readonly asked?: number;
  /** If it wrote fewer: it could read no more. Otherwise it ended the text. */
  readonly isFull?: true;
  /** What was otherwise than in the run that is shown. */
  readonly otherwise: Partial<Pick<SideState, 'model' | 'strategy' | 'interventions'>>;
}

/** What one side shows: the request and its result. The host owns this; the page keeps only view state. */
export interface SideState {
  /** Shown above the text: the document's name and range, or the trace file's name. */
  readonly title: string;
  /** Name of the model that the trace is from, once it is complete; absent for a trace file. */
  readonly model?: string;
  readonly strategy: Strategy;
  readonly interventions: readonly Intervention[];
  /** Some that another model ran with were left out, because this one has no such experts. */
  readonly lacksExperts?: true;
  /** If the model continued a text: the length of what it was given of the last sequence's text, in UTF-16 code units. */
  readonly given?: number;
  /** If that was in a run of its own: the run shown may be a later one, which only reads it. */
  readonly written?: Written;
  /** Absent until the first tokens have arrived. */
  readonly trace?: Trace;
  /** The same request without interventions, if there are any: before → after. */
  readonly before?: Trace;
  readonly attribution?: Attribution;
  /** One for each token at which it was asked, the latest first. */
  readonly lenses?: readonly Lens[];
  readonly running?: {
    readonly what: RunRequestName;
    readonly done: number;
    readonly total: number;
  };
  readonly error?: ErrorData;
  /** The text has changed since. */
  readonly stale: boolean;
  /** If stale: how many of its first tokens are unchanged. */
  readonly fresh?: number;
  /** On the page only: its traces' scores are still to come. */
  readonly scoresFollow?: true;
}

/** A trace in a message: its arrays were sent before, as pieces with the same key (transport/sides.ts). */
export interface SentTrace {
  readonly key: number;
  readonly head: TraceHead;
}

export type SentSide = Omit<SideState, 'trace' | 'before'> & {
  readonly trace?: SentTrace;
  readonly before?: SentTrace;
};

/** Where the lines of the main side's text are in its document now. */
export interface DocumentLines {
  readonly runs: readonly LineRun[];
  /** Of a line in the document's editors, in CSS pixels. */
  readonly height: number;
}

/** The first and the last line in sight in the text's editor; a line outside the text is before or after it. */
export interface VisibleLines {
  readonly from: number;
  readonly to: number;
  /** The page itself scrolled the editor there, so it must not follow. */
  readonly isLed?: true;
}

export type HostMessage =
  /** The source behind the panel, or that there is none. */
  | { readonly type: 'pool'; readonly description: SourceDescription | undefined; readonly error?: ErrorData }
  /** The atlas that belongs to the source, if there is one. */
  | { readonly type: 'atlas'; readonly atlas: ModelAtlas | undefined }
  | { readonly type: 'piece'; readonly key: number; readonly piece: TracePiece }
  /** Replaces the whole side; `undefined` closes the comparison. */
  | { readonly type: 'side'; readonly side: Side; readonly state: SentSide | undefined }
  /** Only progress or flags: the trace stays as it was. */
  | {
      readonly type: 'status';
      readonly side: Side;
      readonly running: SideState['running'];
      readonly stale: boolean;
      readonly fresh?: number;
      readonly error?: ErrorData;
    }
  /** The cursor in the editor moved to this token, of the first sequence unless another is given. */
  | { readonly type: 'select'; readonly token: number; readonly sequence?: number; readonly module?: number }
  /** What was chosen to colour the text: for the run that is now shown, or elsewhere. */
  | ({ readonly type: 'colour' } & TextColour)
  /** Whether all the text that the panel shows is in an editor that is in sight. */
  | { readonly type: 'textVisible'; readonly is: boolean }
  /** Whether the panel keeps its run instead of following the editor; never sent where there is no choice. */
  | { readonly type: 'pinned'; readonly is: boolean }
  | { readonly type: 'lines'; readonly lines: DocumentLines | undefined }
  /** Undefined: no editor shows the document. */
  | { readonly type: 'visible'; readonly lines: VisibleLines | undefined }
  /** The person has asked for the tour. */
  | { readonly type: 'tour' }
  /** Expert explorer: show only this expert. */
  | { readonly type: 'filter'; readonly expert: string | undefined }
  /** The page keeps this text as `memory` with its view state (`setState`), so that the host finds the document again after a reload. */
  | { readonly type: 'remember'; readonly memory: string };

/** All that the host posts: what is to be shown, and answers to the page's requests. */
export type HostPost = HostMessage | Answering;

/** What the page says without waiting for an answer. */
export type PageNotice =
  | { readonly type: 'ready' }
  /** Select the token in the editor, or all of a line's tokens: `end` is past the last one. */
  | { readonly type: 'select'; readonly token: number; readonly end?: number; readonly sequence?: number }
  /** The person has scrolled to this line of the main side's text: the editor follows. */
  | { readonly type: 'reveal'; readonly line: number }
  | { readonly type: 'stop' }
  | { readonly type: 'copy'; readonly text: string }
  /** What the person chose to colour the text by, which its host keeps. */
  | ({ readonly type: 'colour' } & TextColour)
  /** What colours the panel's text instead of that, for the text's editor; empty: nothing does any more. */
  | { readonly type: 'overlay'; readonly by: Overlay }
  /** Show an expert's page in the atlas. */
  | { readonly type: 'unit'; readonly unit: UnitKey }
  /** For the log: the page itself has shown it to the person already. */
  | { readonly type: 'log'; readonly level: 'info' | 'error'; readonly text: string };

/** What the page asks for; the answer says that it is done, or why it cannot be done. */
export type PageRequest =
  | {
      readonly type: 'route';
      readonly side: Side;
      readonly strategy: Strategy;
      readonly interventions: readonly Intervention[];
    }
  /** Route the text as it is now. */
  | { readonly type: 'again' }
  /** Route as much of the beginning of a text that is too long as the model can read. */
  | { readonly type: 'firstPart' }
  | { readonly type: 'attribute' }
  /** What each layer would predict after a token of the last sequence. */
  | { readonly type: 'lens'; readonly token: number }
  | { readonly type: 'generate'; readonly maxTokens: number; readonly temperature: number; readonly seed: number }
  /** Insert the generated text into the document, after the text that was given. */
  | { readonly type: 'insert' }
  /** Compare with the same text under another strategy or what-if; `selection`: with the editor's present selection. */
  | {
      readonly type: 'compare';
      readonly strategy: Strategy;
      readonly interventions: readonly Intervention[];
      readonly selection: 'same' | 'editor';
    }
  | { readonly type: 'closeCompare' }
  /** `trace` is written by the host from the trace; the others carry what the page drew. `name`: of a figure, for the file's name. */
  | { readonly type: 'save'; readonly kind: 'trace' }
  | {
      readonly type: 'save';
      readonly kind: 'csv' | 'svg' | 'html' | 'json';
      readonly data: string;
      readonly name?: string;
    }
  | { readonly type: 'save'; readonly kind: 'png'; readonly data: ArrayBuffer; readonly name?: string }
  /** The host makes the file: what writes a PDF is too large for the page. */
  | { readonly type: 'save'; readonly kind: 'pdf'; readonly data: Drawing; readonly name?: string }
  /** Keep this run in the panel, or let it follow the editor. */
  | { readonly type: 'pin'; readonly is: boolean }
  /** The last runs of the text, to choose from. */
  | { readonly type: 'history' }
  | { readonly type: 'openCard'; readonly expert: string }
  /** Any other request of the table about the run on show; the answer is the model's. */
  | { readonly type: 'ask'; readonly name: RunRequestName; readonly more: Readonly<Record<string, unknown>> };

export type PageMessage = PageNotice | PageRequest;

/** What the dialog that saves a figure sends. */
export type FigureMessage =
  | Exclude<Extract<PageRequest, { readonly type: 'save' }>, { readonly kind: 'trace' }>
  | Extract<PageNotice, { readonly type: 'copy' | 'log' }>;

/** The page's requests by name, as they are sent: what each has besides its name. */
export type PageCalls = {
  [R in PageRequest as R['type']]: { readonly request: Omit<R, 'type'>; readonly result: unknown };
};

/** What the page posts. */
export type PagePost = PageNotice | Asking;
