import { isAnswering } from '../channel/messages.js';
import { Caller } from '../channel/caller.js';
import { isCount, isObject } from '../checks/plain.js';
import { type ErrorData, GanderError } from '../errors/errors.js';
import type { HostMessage } from '../protocol/engine.js';
import type { EngineOptions } from '../requests/api.js';
import type { Requests } from '../requests/schemas.js';
import { Askable, type Engine, type OptionsOf, type RequestOf, type ResultOf } from '../requests/ask.js';
import type { RequestName } from '../requests/table.js';
import { joinerOf } from '../transport/forms.js';
import type { ReceivedPieces } from '../transport/received.js';
import { Child, type Ended } from './child.js';

/**
 * `stopped`: no child (not yet asked, or let go when idle); the next request starts one. `failed`: it died over the pool, or
 * too often in a short while; requests are refused with the error until `restart()`.
 */
export type EngineState =
  | { readonly name: 'stopped' }
  | { readonly name: 'starting' }
  | { readonly name: 'ready'; readonly busy: boolean }
  | { readonly name: 'failed'; readonly error: ErrorData };

export interface EngineClientOptions extends EngineOptions {
  /** Absolute path of the child's script, `dist/engine.cjs`. */
  readonly entry: string;
  /** A child that has had nothing to do for so long is let go; 0: never. Milliseconds. Default 5 minutes. */
  readonly idleMs?: number;
  /**
   * A child that owes an answer and says nothing for so long is killed; 0: never. Milliseconds. Default 2 minutes. What it
   * says that a load may take comes on top.
   */
  readonly deadlineMs?: number;
  /** Bytes that a child may hold before it ends itself. Default: by the pool's size (guard.ts). */
  readonly memory?: number;
  /** A child that died so often in such a time (milliseconds) is not started again. Default 5 in a minute. */
  readonly deaths?: { readonly most: number; readonly within: number };
  /** Keeps the pieces of traces for whoever sends these on. */
  readonly received?: ReceivedPieces;
  /** A line that the child wrote to its standard output or error, or that the client has to say. */
  readonly log?: (line: string) => void;
}

/** Why a child was killed from here, and what helps. */
interface Fault {
  readonly why: string;
  readonly remedy?: string;
}

/** The longest that a timer waits. Milliseconds. */
const longest = 2 ** 31 - 1;

const moreTime = 'allow it more time (the setting gander.engine.deadlineSeconds, or --deadline on the command line)';

/** One child, from its start to its end. */
interface Life {
  readonly child: Child;
  /** Its libraries are loaded. */
  ready: boolean;
  /** It has run a model, or has none to run. What ends it before that is the pool. */
  proven: boolean;
  /** How much longer than otherwise it may be silent now, by its own word. Milliseconds. */
  mayTake: number;
  killedFor?: Fault;
}

/**
 * The engine in a forked child, guarded: a run cannot be stopped from within (ARCHITECTURE.md), but a
 * child can be killed at any time and harms nobody. No `vscode` in here: listeners are plain functions.
 */
export class EngineClient extends Askable implements Engine {
  readonly #options: EngineClientOptions;
  readonly #listeners = new Set<(state: EngineState) => void>();
  readonly #caller = new Caller<Requests>(
    (message) => this.#life?.child.post(message),
    (name) => joinerOf(name, this.#options.received),
  );
  #state: EngineState = { name: 'stopped' };
  #life: Life | undefined;
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

  /** Returns what ends the listening. */
  onStateChange(listener: (state: EngineState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends the child, forgets past failures; the next request starts a new one. Pending requests reject with `engine-died`. */
  restart(): void {
    this.#deaths = [];
    this.#letGo(died('The engine was restarted.'));
  }

  ask<N extends RequestName>(name: N, request: RequestOf<N>, options?: OptionsOf<N>): Promise<ResultOf<N>> {
    // One that is not wanted any more starts no child.
    const refused = options?.signal?.aborted ? undefined : this.#begin();
    if (refused) return Promise.reject(refused);
    const asked = this.#caller.ask(name, request, options);
    this.#watch();
    return asked;
  }

  /** Ends the child and rejects what is pending. */
  dispose(): void {
    this.#disposed = true;
    this.#letGo(new GanderError('engine-unavailable', 'The engine was closed.', 'Ask again.'));
    this.#listeners.clear();
  }

  /** There is a child then, or a reason why there is none. */
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
    const { entry, pool, cache, threads, chunk, server, memory, log } = this.#options;
    const child = new Child({
      entry,
      said: (message) => this.#receive(life, message),
      ended: (end) => {
        if (life === this.#life) this.#died(life, end);
      },
      log,
    });
    const life: Life = { child, ready: false, proven: server !== undefined, mayTake: 0 };
    const options = { pool, cache, threads, chunk, ...(server && { server }) };
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
      // Not the pool's doing: a pool has no say in what is sent.
      life.proven = true;
      this.#kill(life, { why: 'said what makes no sense' });
    }
  }

  /** @throws Error where it is no message, or does not fit those before it */
  #take(life: Life, message: unknown): void {
    const { type, mayTake } = isObject(message) ? message : {};
    life.mayTake = 0;
    if (type === 'ready') life.ready = true;
    else if (type === 'loading' && isCount(mayTake)) life.mayTake = mayTake as number;
    else if (isAnswering(message)) {
      // Of what it runs it tells how far it is, and of a trace there are pieces.
      if (type === 'progress' || type === 'piece') life.proven = true;
      this.#caller.take(message);
    } else throw new TypeError('not a message');
  }

  /** Sets the clocks again after each sign of life: one for a child that owes an answer, one for an idle one. */
  #watch(): void {
    clearTimeout(this.#deadlineTimer);
    clearTimeout(this.#idleTimer);
    const life = this.#life;
    if (!life) return;
    const { deadlineMs = 120_000, idleMs = 300_000 } = this.#options;
    const busy = this.#caller.owed > 0;
    this.#setState(life.ready ? { name: 'ready', busy } : { name: 'starting' });
    if (busy && deadlineMs > 0) {
      const allowed = Math.min(deadlineMs + life.mayTake, longest);
      const fault = { why: `gave no sign of life for ${allowed / 1000} s`, remedy: moreTime };
      this.#deadlineTimer = setTimeout(() => this.#kill(life, fault), allowed);
    }
    if (!busy && idleMs > 0) {
      this.#idleTimer = setTimeout(() => this.#letGo(died('The engine was idle.')), idleMs);
      // An idle engine is no reason for a program to go on.
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

  /** Ends a child that is at fault; its end is then dealt with as any other. */
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
    const asked = this.#caller.owed > 0;
    if (asked && life.ready && !life.proven) {
      // Another child would go the same way.
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
  const also = remedy === undefined ? '' : ` If it ends so again, ${remedy}.`;
  return new GanderError('engine-died', message, `Ask again; the engine is started anew.${also}`);
}

function gigabytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GB`;
}
