import type { DocumentLines, PageMessage, Side, SideState, VisibleLines } from '../protocol/panel.js';
import type { Waiting } from '../routing/runs.js';
import type { SourceDescription } from '../requests/description.js';
import type { ColourChoice } from '../trace/figures/colouring.js';
import type { Received } from '../transport/pieces.js';

/** What a panel shows, and what answers its page. */
export interface Scene {
  /** What is behind it, and what that can do. Rejects with a GanderError. */
  describe(): Promise<SourceDescription>;
  side(side: Side): SideState | undefined;
  /** The pieces in which its traces came; undefined: they were made in this process. */
  readonly received: Received | undefined;
  /** What the page keeps for a restart of the window; undefined when the panel is restored by other means. */
  memory(): string | undefined;
  /** Whether all the text that it shows stands in an editor that is in sight. */
  isTextInSight(): boolean;
  /** Where the lines of its text are in the document, and which of them are in sight; undefined where there is none. */
  lines(): DocumentLines | undefined;
  visible(): VisibleLines | undefined;
  /** What was chosen to colour texts; undefined: the page alone knows. */
  colour(): ColourChoice | undefined;
  /** The token to select when the page is new. */
  token(): number | undefined;
  /** Returns what ends the listening. */
  onChange(listener: () => void): () => void;
  /** What it rejects with is told where it was asked. @param waiting of who waits for the answer of a request */
  handle(message: Exclude<PageMessage, { type: 'ready' | 'copy' | 'log' }>, waiting?: Waiting): Promise<unknown>;
}
