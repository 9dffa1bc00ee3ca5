import { isAnswering } from '../channel/messages.js';
import { Caller } from '../channel/caller.js';
import { isCount, isObject } from '../checks/plain.js';
import { type ErrorData, GanderError } from '../errors/errors.js';
import type { HostMessage } from '../protocol/engine.js';
import type { EngineOptions } from '../requests/api.js';
import { type DeviceUse, type Subject, type Tried, isDeviceUse, isSubject } from '../requests/device.js';
import type { Requests } from '../requests/schemas.js';
import { Askable, type Engine, type OptionsOf, type RequestOf, type ResultOf } from '../requests/ask.js';
import type { RequestName } from '../requests/table.js';
import { joinerOf } from '../transport/forms.js';
import type { ReceivedPieces } from '../transport/received.js';
import { Child, type Ended } from './child.js';
import { keepOutcome } from './device.js';

/**
 * `stopped`: no child (nothing asked yet, or ended when idle); the next request starts one. `failed`: it died because of the
 * pool, or too often in a short time; requests are refused with the error until `restart()`.
 */
export type EngineState =
  | { readonly name: 'stopped' }
  | { readonly name: 'starting' }
  | { readonly name: 'ready'; readonly busy: boolean }
  | { readonly name: 'failed'; readonly error: ErrorData };

export interface EngineClientOptions extends EngineOptions {
  /** Absolute path of the child's script, `dist/engine.cjs`. */
  readonly entry: string;
  /** A child that has had nothing to do for this long is ended; 0: never. Milliseconds. Default 5 minutes. */
  readonly idleMs?: number;
  /**
   * A child that owes an answer and sends nothing for this long is killed; 0: never. Milliseconds. Default 2 minutes. The time
   * that it announces for a load is added.
   */
  readonly deadlineMs?: number;
  /** Bytes of memory that a child may take before it ends itself. Default: by the pool's size (guard.ts). */
  readonly memory?: number;
  /** After `most` deaths within `within` milliseconds the child is not started again. Default 5 in a minute. */
  readonly deaths?: { readonly most: number; readonly within: number };
  /** Keeps the pieces of traces, so that they can be sent on. */
  readonly received?: ReceivedPieces;
  /** Called with each line that the child writes to standard output or error, and with the client's own. */
  readonly log?: (line: string) => void;
}

/** Why the client killed a child, and what may help. */
interface Fault {
  readonly why: string;
  readonly remedy?: string;
  /** Whether it was silent for too long. */
  readonly hung?: boolean;
}

/** The longest time that `setTimeout` takes. Milliseconds. */
const longest = 2 ** 31 - 1;

const moreTime = 'allow it more time (the setting gander.engine.deadlineSeconds, or --deadline on the command line)';

/** One child, from its start to its end. */
interface Life {
  readonly child: Child;
  /** Its libraries are loaded. */
  ready: boolean;
  /** It has run a model, or has none to run. If it dies before that, the pool is to blame. */
  proven: boolean;
  /** How much longer than usual it may be silent now, as it has announced. Milliseconds. */
  mayTake: number;
  killedFor?: Fault;
  /** The card that it uses or tries, with what an outcome for it depends on. */
  card: Subject | undefined;
  /** Why the card is not used any more: what was asked of this child is asked of the next. */
  lost?: Tried;
}

/**
 * Runs the engine in a forked child and watches it: a run cannot be stopped from within (ARCHITECTURE.md), but a child can
 * be killed at any time without harm. No `vscode` in here: listeners are plain functions.
 */
export class EngineClient extends Askable implements Engine {
  readonly #options: EngineClientOptions;
  readonly #listeners = new Set<(state: EngineState) => void>();
  readonly #deviceListeners = new Set<(use: DeviceUse) => void>();
  readonly #caller = new Caller<Requests>(
    (message) => this.#life?.child.post(message),
    (name) => joinerOf(name, this.#options.received),
  );
  #state: EngineState = { name: 'stopped' };
  #life: Life | undefined;
  #device: DeviceUse | undefined;
  /** A card that failed in a run. */
  #lost: Tried | undefined;
  #deaths: number[] = [];
  #idleTimer: NodeJS.Timeout | undefined;
  #deadlineTimer: NodeJS.Timeout | undefined;
  #disposed = false;

  constructor(options: EngineClientOptions) {
    super();
    this.#options = options;
  }

  get state(): EngineState {
    return this.#state;
  }

  /** Process id of the child, while there is one. */
  get pid(): number | undefined {
    return this.#life?.child.pid;
  }

  /** Returns a function that removes the listener. */
  onStateChange(listener: (state: EngineState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What computes the model, once that is known. */
  get device(): DeviceUse | undefined {
    return this.#device;
  }

  /** Called when it is known what computes the model, and when that changes. Returns a function that removes the listener. */
  onDeviceChange(listener: (use: DeviceUse) => void): () => void {
    this.#deviceListeners.add(listener);
    return () => this.#deviceListeners.delete(listener);
  }

  /** Ends the child and forgets past failures; the next request starts a new child. Pending requests reject with `engine-died`. */
  restart(): void {
    this.#deaths = [];
    this.#lost = undefined;
    this.#letGo(died('The engine was restarted.'));
  }

  ask<N extends RequestName>(name: N, request: RequestOf<N>, options?: OptionsOf<N>): Promise<ResultOf<N>> {
    // A request that is already cancelled starts no child.
    const refused = options?.signal?.aborted ? undefined : this.#begin();
    if (refused) return Promise.reject(refused);
    const asked = this.#caller.ask(name, request, options);
    const life = this.#life;
    this.#watch();
    if (!life) return asked;
    return asked.catch((error: unknown) => this.#withoutCard(life, error, () => this.ask(name, request, options)));
  }

  /** Asks again, of the processor, what a card could not do. @throws the error, if no card is to blame */
  async #withoutCard<R>(life: Life, error: unknown, again: () => Promise<R>): Promise<R> {
    const { card } = life;
    const refused = card && error instanceof GanderError && error.code === 'device-failed';
    if (refused && !life.lost) {
      this.#lose(life, card, error.message);
      if (life === this.#life) this.#letGo(died('The engine goes on without the graphics card.'));
    }
    if (!life.lost || this.#disposed) throw error;
    const result = await again();
    // Had the processor failed as well, the model would have been to blame.
    if (refused) this.#keep(card, life.lost);
    return result;
  }

  #lose(life: Life, { card }: Subject, why: string): Tried {
    life.lost = { card, outcome: { result: 'failed', why } };
    this.#lost = life.lost;
    return life.lost;
  }

  #keep(subject: Subject, { outcome }: Tried): void {
    keepOutcome(this.#options.cache, subject, outcome);
  }

  /** Ends the child and rejects what is pending. */
  dispose(): void {
    this.#disposed = true;
    this.#letGo(new GanderError('engine-unavailable', 'The engine was closed.', 'Ask again.'));
    this.#listeners.clear();
    this.#deviceListeners.clear();
  }

  /** Starts a child unless there is one; returns the reason if that is impossible. */
  #begin(): GanderError | undefined {
    if (this.#disposed) return new GanderError('engine-unavailable', 'The engine was closed.', 'Ask again.');
    if (this.#state.name === 'failed') return GanderError.fromData(this.#state.error);
    try {
      this.#life ??= this.#start();
      return undefined;
    } catch (cause) {
      const what = `The engine cannot be started: ${String(cause)}`;
      return new GanderError('engine-unavailable', what, 'See the Gander log.', { cause });
    }
  }

  #start(): Life {
    const { entry, pool, cache, threads, chunk, device, tryAgain, server, memory, log } = this.#options;
    const child = new Child({
      entry,
      said: (message) => this.#receive(life, message),
      ended: (end) => {
        if (life === this.#life) this.#died(life, end);
      },
      log,
    });
    const life: Life = { child, ready: false, proven: server !== undefined, mayTake: 0, card: undefined };
    const lost = this.#lost;
    const options = { pool, cache, threads, chunk, device, tryAgain, lost, ...(server && { server }) };
    child.post({ type: 'start', options, memory } satisfies HostMessage);
    this.#setState({ name: 'starting' });
    return life;
  }

  #receive(life: Life, message: unknown): void {
    if (life !== this.#life) return;
    try {
      this.#take(life, message);
      this.#watch();
    } catch (error) {
      this.#options.log?.(`engine: ${String(error)}`);
      // The pool is not to blame: it has no influence on the form of messages.
      life.proven = true;
      this.#kill(life, { why: 'sent a message that makes no sense' });
    }
  }

  /** @throws Error if it is not a message, or does not fit those before it */
  #take(life: Life, message: unknown): void {
    const { type, mayTake, on, use } = isObject(message) ? message : {};
    life.mayTake = 0;
    if (type === 'ready') life.ready = true;
    else if (type === 'loading' && isCount(mayTake)) life.mayTake = mayTake as number;
    else if (type === 'device') this.#computes(life, on, use);
    else if (isAnswering(message)) {
      // Progress and the pieces of a trace come only once a model runs.
      if (type === 'progress' || type === 'piece') life.proven = true;
      this.#caller.take(message);
    } else throw new TypeError('not a message');
  }

  /** @throws Error if it is not what it should be */
  #computes(life: Life, on: unknown, use: unknown): void {
    if (on !== undefined && !isSubject(on)) throw new TypeError('not what an outcome depends on');
    if (use !== undefined && !isDeviceUse(use)) throw new TypeError('not what computes');
    life.card = on;
    if (!use) return;
    this.#device = use;
    for (const listener of [...this.#deviceListeners]) listener(use);
  }

  /** Restarts the timers after each sign of life: the deadline of a child that owes an answer, the idle time of one that does not. */
  #watch(): void {
    clearTimeout(this.#deadlineTimer);
    clearTimeout(this.#idleTimer);
    const life = this.#life;
    if (!life) return;
    const { deadlineMs = 120_000, idleMs = 300_000 } = this.#options;
    const busy = this.#caller.pending > 0;
    this.#setState(life.ready ? { name: 'ready', busy } : { name: 'starting' });
    if (busy && deadlineMs > 0) {
      const allowed = Math.min(deadlineMs + life.mayTake, longest);
      const fault = { why: `gave no sign of life for ${allowed / 1000} s`, remedy: moreTime, hung: true };
      this.#deadlineTimer = setTimeout(() => this.#kill(life, fault), allowed);
    }
    if (!busy && idleMs > 0) {
      this.#idleTimer = setTimeout(() => this.#letGo(died('The engine was idle.')), idleMs);
      // An idle engine must not keep a program running.
      this.#idleTimer.unref();
    }
  }

  /** Ends the child on purpose. */
  #letGo(reason: GanderError): void {
    const life = this.#life;
    this.#life = undefined;
    life?.child.kill();
    this.#setState({ name: 'stopped' });
    this.#rejectAll(reason);
  }

  /** Kills a child that is at fault; its end is then handled like any other. */
  #kill(life: Life, fault: Fault): void {
    life.killedFor = fault;
    life.child.kill();
  }

  #died(life: Life, { how, lastWords }: Ended): void {
    const { pool, deaths: { most, within } = { most: 5, within: 60_000 } } = this.#options;
    const why = life.killedFor?.why ?? (lastWords && `took more than ${gigabytes(lastWords.allowed)} of memory`);
    const what = why === undefined ? `died (${how})` : `${why} and was ended`;
    const now = Date.now();
    this.#life = undefined;
    this.#deaths = [...this.#deaths.filter((at) => now - at < within), now];
    this.#options.log?.(`engine: ${what}`);
    const asked = this.#caller.pending > 0;
    // The system ends a process with SIGKILL, as for want of memory; a driver does not.
    const isCards = life.killedFor ? life.killedFor.hung : !lastWords && how !== 'SIGKILL';
    if (life.card && isCards) this.#keep(life.card, this.#lose(life, life.card, `the process ${what}`));
    if (asked && !life.lost && life.ready && !life.proven) {
      // Another child would die in the same way.
      const other = life.killedFor?.remedy ?? 'restart the engine if this one has worked before';
      const error = new GanderError(
        'pool-invalid',
        `The engine ${what} while it loaded the pool ${pool}.`,
        `Choose another pool or model, or ${other}.`,
      );
      this.#setState({ name: 'failed', error: error.toData() });
      this.#rejectAll(error);
      return;
    }
    if (this.#deaths.length >= most) {
      const error = new GanderError(
        'engine-unavailable',
        `The engine died ${this.#deaths.length} times in a short while; the last time it ${what}.`,
        'See the Gander log, then restart the engine.',
      );
      this.#setState({ name: 'failed', error: error.toData() });
    } else {
      this.#setState({ name: 'stopped' });
    }
    this.#rejectAll(died(`The engine ${what}.`, life.killedFor?.remedy));
  }

  #rejectAll(error: GanderError): void {
    clearTimeout(this.#deadlineTimer);
    clearTimeout(this.#idleTimer);
    this.#caller.end(error);
  }

  #setState(state: EngineState): void {
    const before = this.#state;
    if (before.name === state.name && (state.name !== 'ready' || state.busy === (before as { busy?: boolean }).busy))
      return;
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }
}

function died(message: string, remedy?: string): GanderError {
  const also = remedy === undefined ? '' : ` If that happens again, ${remedy}.`;
  return new GanderError('engine-died', message, `Ask again; the engine starts anew.${also}`);
}

function gigabytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GB`;
}
