/** Messages between the host and a model's child process: calls (src/channel), and what concerns the child itself. */
import type { EngineOptions } from '../requests/api.js';
import type { Answering, Asking } from '../channel/messages.js';

export type HostMessage =
  /** The first message to a child, sent once. `memory`: bytes that it may take; by default what the pool's size allows. */
  { readonly type: 'start'; readonly options: EngineOptions; readonly memory?: number | undefined } | Asking;

export type ChildMessage =
  | { readonly type: 'ready' }
  /** Until its next message the child may be silent for longer than usual, by this many milliseconds. */
  | { readonly type: 'loading'; readonly mayTake: number }
  | Answering;

/** What a child writes as JSON to the file descriptor `lastWordsAt` before it ends itself, perhaps while it is in native code. */
export interface LastWords {
  readonly type: 'memory';
  readonly allowed: number;
}

/** The first after standard input, output, error and the channel. */
export const lastWordsAt = 4;
