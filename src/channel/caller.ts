import { GanderError } from '../errors/errors.js';
import { heard } from '../errors/listener.js';
import type { Answering, Asking, Call, Options, OptionsOf } from './messages.js';

/** Puts together a value that comes in pieces. @throws Error if they do not fit, or are not pieces */
export interface Joiner {
  add(piece: unknown): void;
  /** @param head how a part or the result is made of the pieces before it; or the part or result itself */
  join(head: unknown): unknown;
}

/** For values that come whole. @param join checks the value; throws if it is not what it should be */
export function inOne(join: Joiner['join']): Joiner {
  const add = () => {
    throw new TypeError('a piece of a value that comes whole');
  };
  return { add, join };
}

const asItIs = inOne((value) => value);

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: GanderError) => void;
  /** Empty once the asker has an answer: later progress and parts then reach nobody. */
  options: Options<unknown>;
  readonly joiner: Joiner;
  /** Stops listening to the asker's signal. */
  readonly forget: () => void;
}

/** The asking end of a channel. Incoming answers are passed to `take`. */
export class Caller<C extends { [N in keyof C]: Call }> {
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  /**
   * @param post throws if the message is not plain data
   * @param joinerOf checks a request's answer and puts it together; default: the answer is taken as it comes
   */
  constructor(
    private readonly post: (message: Asking) => unknown,
    private readonly joinerOf: (name: keyof C) => Joiner = () => asItIs,
  ) {}

  /** Number of calls that the other end has not answered yet. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Rejects with a GanderError: the other end's, or `cancelled` as soon as the signal fires. */
  ask<N extends keyof C & string>(
    name: N,
    request: C[N]['request'],
    options: OptionsOf<C[N]> = {},
  ): Promise<C[N]['result']> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(cancelled());
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      // The asker need not wait until the other end notices.
      const cancel = () => this.#abandon(id, cancelled());
      signal?.addEventListener('abort', cancel, { once: true });
      this.#pending.set(id, {
        resolve,
        reject,
        options: options as Options<unknown>,
        joiner: this.joinerOf(name),
        forget: () => signal?.removeEventListener('abort', cancel),
      });
      try {
        this.post({ type: 'call', id, name, request, partial: options.onPartial !== undefined });
      } catch (cause) {
        this.#settle(id, ({ reject: refuse }) => refuse(notPlain(cause)));
      }
    });
  }

  /** @throws Error if the message does not fit those before it */
  take(message: Answering): void {
    const pending = this.#pending.get(message.id);
    switch (message.type) {
      case 'progress':
        this.#tell(message.id, ({ onProgress }) => onProgress?.(message.done, message.total));
        break;
      case 'piece':
        pending?.joiner.add(message.piece);
        break;
      case 'partial': {
        const part = pending?.joiner.join(message.part);
        this.#tell(message.id, ({ onPartial }) => onPartial?.(part));
        break;
      }
      case 'result': {
        const result = pending?.joiner.join(message.result);
        this.#settle(message.id, ({ resolve }) => resolve(result as never));
        break;
      }
      case 'error':
        this.#settle(message.id, ({ reject }) => reject(GanderError.fromData(message.error)));
        break;
    }
  }

  /** Nothing more will come: rejects all unanswered calls. */
  end(error: GanderError): void {
    for (const id of [...this.#pending.keys()]) this.#settle(id, ({ reject }) => reject(error));
  }

  /** A listener that throws, or whose promise rejects, ends only its own call. */
  #tell(id: number, how: (options: Options<unknown>) => unknown): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    heard(
      () => how(pending.options),
      (error) => this.#abandon(id, error),
    );
  }

  /** Rejects the asker's promise now. The call stays on record until the other end has ended it, too. */
  #abandon(id: number, error: GanderError): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    pending.options = {};
    pending.forget();
    pending.reject(error);
    this.post({ type: 'cancel', id });
  }

  #settle(id: number, how: (pending: Pending) => void): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    pending.forget();
    how(pending);
  }
}

function cancelled(): GanderError {
  return new GanderError('cancelled', 'Cancelled.', 'Ask again when you like.');
}

function notPlain(cause: unknown): GanderError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new GanderError('request-invalid', `The request cannot be sent: ${why}`, 'Ask with plain data.', { cause });
}
