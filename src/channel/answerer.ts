import { GanderError } from '../errors/errors.js';
import type { Answering, Asking, Call, Options, OptionsOf } from './messages.js';

/** Takes apart what goes in pieces. One knows what it has sent of one call. */
export interface Cutter {
  pieces(value: unknown): Iterable<unknown>;
  /** What says how the pieces so far make up the value; or the value itself. */
  head(value: unknown): unknown;
}

/** What goes in one. */
export const whole: Cutter = { pieces: () => [], head: (value) => value };

/** Answers a call. What it throws, or rejects with, rejects who asked. */
export type Answer<C extends { [N in keyof C]: Call }> = <N extends keyof C>(
  name: N,
  request: C[N]['request'],
  options: OptionsOf<C[N]>,
) => Promise<C[N]['result']> | C[N]['result'];

/** The end of a channel that answers. What is asked is given to `take`. */
export class Answerer<C extends { [N in keyof C]: Call }> {
  readonly #running = new Map<number, AbortController>();

  /** @param post who answers waits for its promise before the next part */
  constructor(
    private readonly answer: Answer<C>,
    private readonly post: (message: Answering) => unknown,
    private readonly cutterOf: (name: keyof C) => Cutter = () => whole,
  ) {}

  take(message: Asking): void {
    if (message.type === 'call') void this.#answer(message);
    else this.#running.get(message.id)?.abort();
  }

  async #answer({ id, name: asked, request, partial }: Extract<Asking, { type: 'call' }>): Promise<void> {
    const abort = new AbortController();
    this.#running.set(id, abort);
    const name = asked as keyof C;
    try {
      const cutter = this.cutterOf(name);
      const cut = (value: unknown) => {
        for (const piece of cutter.pieces(value)) void this.post({ type: 'piece', id, piece });
        return cutter.head(value);
      };
      const options: Options<unknown> = {
        signal: abort.signal,
        onProgress: (done, total) => void this.post({ type: 'progress', id, done, total }),
        ...(partial && { onPartial: (part) => this.post({ type: 'partial', id, part: cut(part) }) }),
      };
      const result = await this.answer(name, request, options);
      void this.post({ type: 'result', id, result: cut(result) });
    } catch (error) {
      void this.post({ type: 'error', id, error: GanderError.from(error).toData() });
    } finally {
      this.#running.delete(id);
    }
  }
}
