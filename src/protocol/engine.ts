/** What crosses between the host and a model's child process: calls (src/channel), and what the two say of the child itself. */
import type { EngineOptions } from '../requests/api.js';
import type { Answering, Asking } from '../channel/messages.js';

export type HostMessage =
  /** First message to a child, once. `memory`: bytes it may hold; what the pool's size allows, if not told. */
  { readonly type: 'start'; readonly options: EngineOptions; readonly memory?: number | undefined } | Asking;

export type ChildMessage =
  | { readonly type: 'ready' }
  /** From here to its next message it may be silent for longer than it may otherwise, by so many milliseconds. */
  | { readonly type: 'loading'; readonly mayTake: number }
  | Answering;

/** What a child writes, as JSON, to the file descriptor `lastWordsAt` before it ends itself: it may be in native code then. */
export interface LastWords {
  readonly type: 'memory';
  readonly allowed: number;
}

/** After standard input, output, error and the channel. */
export const lastWordsAt = 4;
