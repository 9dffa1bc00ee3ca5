import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import { readChildMessage, readLastWords } from '../transport/childMessage.js';
import { type ErrorData, GanderError } from '../errors/errors.js';
import { heard } from '../errors/listener.js';
import { type ChildMessage, type HostMessage, lastWordsAt, type MethodName, type Methods } from '../protocol/engine.js';
import type { Trace } from '../trace/model/trace.js';
import { TraceBuilder } from '../transport/pieces.js';
import type {
  AttributeRequest,
  Attribution,
  Candidate,
  Engine,
  EngineOptions,
  GenerateRequest,
  Lens,
  LensRequest,
  ModelInfo,
  PoolKeeper,
  PoolRequest,
  RouteRequest,
  RunOptions,
  Score,
  Similarity,
} from '../requests/api.js';

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
  /** A line that the child wrote to its standard output or error, or that the client has to say. */
  readonly log?: (line: string) => void;
}

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: GanderError) => void;
  /** Nothing once the asker has been answered: what the child says of it then finds nobody. */
  options: RunOptions;
  readonly trace: TraceBuilder;
  /** Stops listening to the request's signal. */
  readonly forget: () => void;
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
interface Child {
  readonly process: ChildProcess;
  /** Its libraries are loaded. */
  ready: boolean;
  /** It has run a model, or has none to run. What ends it before that is the pool. */
  proven: boolean;
  /** How much longer than otherwise it may be silent now, by its own word. Milliseconds. */
  mayTake: number;
  killedFor?: Fault;
  lastWords: string;
}

/**
 * The engine in a forked child, guarded: a run cannot be stopped from within (ARCHITECTURE.md), but a
 * child can be killed at any time and harms nobody. No `vscode` in here: listeners are plain functions.
 */
export class EngineClient implements Engine, PoolKeeper {
  readonly #options: EngineClientOptions;
  readonly #listeners = new Set<(state: EngineState) => void>();
  readonly #pending = new Map<number, Pending>();
  #state: EngineState = { name: 'stopped' };
  #child: Child | undefined;
  #nextId = 1;
  #deaths: number[] = [];
  #idleTimer: NodeJS.Timeout | undefined;
  #deadlineTimer: NodeJS.Timeout | undefined;
  #disposed = false;

  constructor(options: EngineClientOptions) {
    this.#options = options;
  }

  get state(): EngineState {
    return this.#state;
  }

  /** Process id of the child, while there is one. */
  get pid(): number | undefined {
    return this.#child?.process.pid;
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

  info(options?: RunOptions): Promise<ModelInfo> {
    return this.#call('info', undefined, options);
  }

  route(request: RouteRequest, options?: RunOptions): Promise<Trace> {
    return this.#call('route', request, options);
  }

  generate(request: GenerateRequest, options?: RunOptions): Promise<Trace> {
    return this.#call('generate', request, options);
  }

  attribute(request: AttributeRequest, options?: RunOptions): Promise<Attribution> {
    return this.#call('attribute', request, options);
  }

  score(request: RouteRequest, options?: RunOptions): Promise<Score> {
    return this.#call('score', request, options);
  }

  similarity(request: PoolRequest = {}, options?: RunOptions): Promise<Similarity> {
    return this.#call('similarity', request, options);
  }

  lens(request: LensRequest, options?: RunOptions): Promise<Lens> {
    return this.#call('lens', request, options);
  }

  examine(folder: string): Promise<Candidate> {
    return this.#call('examine', folder);
  }

  /** Ends the child and rejects what is pending. */
  dispose(): void {
    this.#disposed = true;
    this.#letGo(new GanderError('engine-unavailable', 'The engine was closed.', 'Ask again.'));
    this.#listeners.clear();
  }

  #call<N extends MethodName>(
    method: N,
    request: Methods[N]['request'],
    options: RunOptions = {},
  ): Promise<Methods[N]['result']> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(cancelled());
    if (this.#disposed)
      return Promise.reject(new GanderError('engine-unavailable', 'The engine was closed.', 'Ask again.'));
    if (this.#state.name === 'failed') return Promise.reject(GanderError.fromData(this.#state.error));
    let child: Child;
    try {
      child = this.#child ?? this.#start();
    } catch (error) {
      return Promise.reject(
        new GanderError('engine-unavailable', `The engine cannot be started: ${String(error)}`, 'See the Gander log.', {
          cause: error,
        }),
      );
    }
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      // The asker need not wait for the chunk to end.
      const cancel = () => this.#abandon(id, cancelled());
      signal?.addEventListener('abort', cancel, { once: true });
      this.#pending.set(id, {
        resolve,
        reject,
        options,
        trace: new TraceBuilder(),
        forget: () => signal?.removeEventListener('abort', cancel),
      });
      try {
        const partial = (options.onPartial ?? options.onAttributed) !== undefined;
        this.#post(child, { type: 'call', id, method, request, partial } as HostMessage);
      } catch (cause) {
        const what = `The request cannot be sent to the engine: ${cause instanceof Error ? cause.message : String(cause)}`;
        this.#settle(id, ({ reject: refuse }) =>
          refuse(new GanderError('request-invalid', what, 'Ask with plain data.', { cause })),
        );
      }
      this.#watch();
    });
  }

  #start(): Child {
    const { entry, pool, cache, threads, chunk, server, memory } = this.#options;
    const { NODE_OPTIONS: _unused, ...env } = process.env;
    const forked = fork(entry, [], {
      serialization: 'advanced',
      // Not the host's own flags: a debugger's port among them would clash.
      execArgv: [],
      // In an editor's host the executable is Electron.
      env: { ...env, ELECTRON_RUN_AS_NODE: '1' },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'],
    });
    const child: Child = { process: forked, ready: false, proven: server !== undefined, mayTake: 0, lastWords: '' };
    this.#child = child;
    for (const stream of [forked.stdout, forked.stderr])
      if (stream) createInterface(stream).on('line', (line) => this.#options.log?.(line));
    forked.stdio[lastWordsAt]?.on('data', (words: Buffer) => (child.lastWords += words.toString()));
    forked.on('message', (message) => {
      if (child === this.#child && child.killedFor === undefined) this.#receive(child, message);
    });
    forked.on('error', (error) => this.#options.log?.(`engine: ${error.message}`));
    // Not `exit`: what it wrote before its end may come after that.
    forked.on('close', (code, signal) => {
      if (child === this.#child) this.#died(child, signal ?? `exit code ${String(code)}`);
    });
    this.#post(child, { type: 'start', options: { pool, cache, threads, chunk, ...(server && { server }) }, memory });
    this.#setState({ name: 'starting' });
    return child;
  }

  #receive(child: Child, value: unknown): void {
    const message = readChildMessage(value);
    try {
      if (!message) throw new TypeError('not a message');
      this.#take(child, message);
      this.#watch();
    } catch (error) {
      this.#options.log?.(`engine: ${String(error)}`);
      // Not the pool's doing: a pool has no say in what is sent.
      child.proven = true;
      this.#kill(child, { why: 'said what makes no sense' });
    }
  }

  /** @throws Error where the message does not fit those before it */
  #take(child: Child, message: ChildMessage): void {
    child.mayTake = message.type === 'loading' ? message.mayTake : 0;
    if (message.type === 'loading') return;
    if (message.type === 'ready') {
      child.ready = true;
      return;
    }
    const pending = this.#pending.get(message.id);
    switch (message.type) {
      case 'progress':
        child.proven = true;
        this.#tell(message.id, ({ onProgress }) => onProgress?.(message.done, message.total));
        break;
      case 'piece':
        pending?.trace.add(message.piece);
        break;
      case 'partial': {
        const trace = pending?.trace.build(message.head);
        if (trace) this.#tell(message.id, ({ onPartial }) => onPartial?.(trace));
        break;
      }
      case 'attributed':
        this.#tell(message.id, ({ onAttributed }) => onAttributed?.(message.part));
        break;
      case 'trace': {
        child.proven = true;
        const trace = pending?.trace.build(message.head);
        this.#settle(message.id, ({ resolve }) => resolve(trace as never));
        break;
      }
      case 'result':
        this.#settle(message.id, ({ resolve }) => resolve(message.result as never));
        break;
      case 'error':
        this.#settle(message.id, ({ reject }) => reject(GanderError.fromData(message.error)));
        break;
    }
  }

  /** A listener that throws, or whose promise rejects, ends its own request and nothing else. */
  #tell(id: number, how: (options: RunOptions) => unknown): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    heard(
      () => how(pending.options),
      (error) => this.#abandon(id, error),
    );
  }

  /** Answers the asker now. The child still owes an end, and is watched until it comes. */
  #abandon(id: number, error: GanderError): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    pending.options = {};
    pending.forget();
    pending.reject(error);
    if (this.#child) this.#post(this.#child, { type: 'cancel', id });
  }

  #settle(id: number, how: (pending: Pending) => void): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    pending.forget();
    how(pending);
  }

  /** Sets the clocks again after each sign of life: one for a child that owes an answer, one for an idle one. */
  #watch(): void {
    clearTimeout(this.#deadlineTimer);
    clearTimeout(this.#idleTimer);
    if (!this.#child) return;
    const child = this.#child;
    const { deadlineMs = 120_000, idleMs = 300_000 } = this.#options;
    const busy = this.#pending.size > 0;
    this.#setState(child.ready ? { name: 'ready', busy } : { name: 'starting' });
    if (busy && deadlineMs > 0) {
      const allowed = Math.min(deadlineMs + child.mayTake, longest);
      const fault = { why: `gave no sign of life for ${allowed / 1000} s`, remedy: moreTime };
      this.#deadlineTimer = setTimeout(() => this.#kill(child, fault), allowed);
    }
    if (!busy && idleMs > 0) {
      this.#idleTimer = setTimeout(() => this.#letGo(died('The engine was idle.')), idleMs);
      // An idle engine is no reason for a program to go on.
      this.#idleTimer.unref();
    }
  }

  /** Ends the child on purpose. */
  #letGo(reason: GanderError): void {
    const child = this.#child;
    this.#child = undefined;
    child?.process.kill('SIGKILL');
    this.#setState({ name: 'stopped' });
    this.#rejectAll(reason);
  }

  /** Ends a child that is at fault; its end is then dealt with as any other. */
  #kill(child: Child, fault: Fault): void {
    child.killedFor = fault;
    child.process.kill('SIGKILL');
  }

  #died(child: Child, how: string): void {
    const { pool, deaths: { most, within } = { most: 5, within: 60_000 } } = this.#options;
    const words = readLastWords(child.lastWords);
    const why = child.killedFor?.why ?? (words && `took more than ${gigabytes(words.allowed)} of memory`);
    const what = why === undefined ? `died (${how})` : `${why} and was ended`;
    const now = Date.now();
    this.#child = undefined;
    this.#deaths = [...this.#deaths.filter((at) => now - at < within), now];
    this.#options.log?.(`engine: ${what}`);
    const asked = this.#pending.size > 0;
    if (asked && child.ready && !child.proven) {
      // Another child would go the same way.
      const other = child.killedFor?.remedy ?? 'restart the engine if this one has worked before';
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
    this.#rejectAll(died(`The engine ${what}.`, child.killedFor?.remedy));
  }

  #rejectAll(error: GanderError): void {
    clearTimeout(this.#deadlineTimer);
    clearTimeout(this.#idleTimer);
    for (const id of [...this.#pending.keys()]) this.#settle(id, ({ reject }) => reject(error));
  }

  /** @throws Error where the message is not plain data */
  #post(child: Child, message: HostMessage): void {
    // A child that died meanwhile is noticed by its exit, which rejects what is pending.
    if (child.process.connected) child.process.send(message, () => undefined);
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

function cancelled(): GanderError {
  return new GanderError('cancelled', 'Cancelled.', 'Ask again when you like.');
}
