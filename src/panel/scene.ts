import type { DocumentLines, PageMessage, Side, SideState, VisibleLines } from '../protocol/panel.js';
import type { Waiting } from '../routing/runs.js';
import type { SourceDescription } from '../requests/description.js';
import type { TextColour } from '../trace/figures/colouring.js';
import type { Received } from '../transport/pieces.js';

/** What is not for the page's host itself. */
export type SceneMessage = Exclude<PageMessage, { type: 'ready' | 'copy' | 'log' | 'unit' }>;

/** What a panel shows, and what answers its page. */
export interface Scene {
  /** Of the range that it shows now; undefined: it always shows the same. */
  readonly id?: number;
  /** The source behind it, and what that can do. Rejects with a GanderError. */
  describe(): Promise<SourceDescription>;
  side(side: Side): SideState | undefined;
  /** Whether its panel keeps its run instead of following the editor; undefined: it has no choice. */
  readonly pinned?: boolean;
  /** The pieces that its traces came in; undefined if they were made in this process. */
  readonly received: Received | undefined;
  /** What the page keeps for a restart of the window; undefined if the panel is restored in another way. */
  memory(): string | undefined;
  /** Whether all the text that it shows is in a visible editor. */
  isTextVisible(): boolean;
  /** Where the lines of its text are in the document, and which of them are visible; undefined without a document. */
  lines(): DocumentLines | undefined;
  visible(): VisibleLines | undefined;
  /** What its text is coloured by, by choice; undefined: only the page knows. */
  colour(): TextColour | undefined;
  /** The token to select in a new page. */
  token(): number | undefined;
  /** Returns a function that stops listening. */
  onChange(listener: () => void): () => void;
  /** A rejection is shown where the request was made. @param waiting for whoever waits for the answer */
  handle(message: SceneMessage, waiting?: Waiting): Promise<unknown>;
}
