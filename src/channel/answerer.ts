import { GanderError } from '../errors/errors.js';
import type { Answering, Asking, Call, Options, OptionsOf } from './messages.js';

/** Splits values that are sent in pieces. A cutter serves one call and knows which pieces it has sent. */
export interface Cutter {
  pieces(value: unknown): Iterable<unknown>;
  /** What to send last: how the value is made of the pieces so far, or the value itself. */
  head(value: unknown): unknown;
}

/** For values that are sent whole. */
export const whole: Cutter = { pieces: () => [], head: (value) => value };

/** Answers a call. If it throws or rejects, the caller gets that error. */
export type Answer<C extends { [N in keyof C]: Call }> = <N extends keyof C>(
  name: N,
  request: C[N]['request'],
  options: OptionsOf<C[N]>,
) => Promise<C[N]['result']> | C[N]['result'];

/** The answering end of a channel. Incoming calls are passed to `take`. */
export class Answerer<C extends { [N in keyof C]: Call }> {
  readonly #running = new Map<number, AbortController>();

  /** @param post sends a message; whoever answers waits for its promise before the next part */
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
