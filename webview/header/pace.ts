/** How long a run still takes, by its pace so far. */
import type { SideState } from '../../src/protocol/panel.js';

type Running = NonNullable<SideState['running']>;

/** A pace over less time says little. Milliseconds. */
const shortest = 2000;

export class Pace {
  #from: (Running & { readonly at: number }) | undefined;

  /** In milliseconds; undefined while it is unknown. @param now in milliseconds */
  left(running: Running | undefined, now: number): number | undefined {
    const from = this.#from;
    const isSame = running && from?.what === running.what && from.total === running.total && from.done <= running.done;
    if (!isSame) {
      // Until its first part is done, a run may be loading the model.
      this.#from = running && running.done > 0 ? { ...running, at: now } : undefined;
      return undefined;
    }
    const done = running.done - from.done;
    const time = now - from.at;
    return done > 0 && time >= shortest ? (time / done) * (running.total - running.done) : undefined;
  }
}
