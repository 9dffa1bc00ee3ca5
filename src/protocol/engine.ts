/** Messages between the host and a model's child process: calls (src/channel), and what concerns the child itself. */
import type { EngineOptions } from '../requests/api.js';
import type { Answering, Asking } from '../channel/messages.js';
import type { DeviceUse, Subject } from '../requests/device.js';

export type HostMessage =
  /** The first message to a child, sent once. `memory`: bytes that it may take; by default what the pool's size allows. */
  { readonly type: 'start'; readonly options: EngineOptions; readonly memory?: number | undefined } | Asking;

export type ChildMessage =
  | { readonly type: 'ready' }
  /** Until its next message the child may be silent for longer than usual, by this many milliseconds. */
  | { readonly type: 'loading'; readonly mayTake: number }
  /**
   * From now on it computes there. `on`: what an outcome depends on, of the card that is about to be used; absent for the processor.
   * `use`: absent while the card is tried.
   */
  | { readonly type: 'device'; readonly on?: Subject | undefined; readonly use?: DeviceUse | undefined }
  | Answering;

/** What a child writes as JSON to the file descriptor `lastWordsAt` before it ends itself, perhaps while it is in native code. */
export interface LastWords {
  readonly type: 'memory';
  readonly allowed: number;
}

/** The first after standard input, output, error and the channel. */
export const lastWordsAt = 4;
