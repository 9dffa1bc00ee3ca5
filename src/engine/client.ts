import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type ErrorData, GanderError } from '../shared/errors.js';
import type { ChildMessage, HostMessage, MethodName, Methods } from '../shared/protocol.js';
import type { Trace } from '../trace/trace.js';
import { TraceBuilder } from '../transport/pieces.js';
import type {
  Attribution,
  Engine,
  EngineOptions,
  GenerateRequest,
  PoolInfo,
  RouteRequest,
  RunOptions,
  Score,
} from './api.js';

/**
 * `stopped`: no child (not yet asked, or let go when idle); the next request starts one. `failed`: it died too often in
 * a short while, requests are refused with `engine-unavailable` until `restart()`.
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
  /** A child that owes an answer and says nothing for so long is killed, its requests rejected with `engine-died`; 0: never. Milliseconds. Default 2 minutes. */
  readonly deadlineMs?: number;
  /** A child that died so often in such a time (milliseconds) is not started again. Default 5 in a minute. */
  readonly deaths?: { readonly most: number; readonly within: number };
  /** A line that the child wrote to its standard output or error, or that the client has to say. */
  readonly log?: (line: string) => void;
}

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: GanderError) => void;
  readonly options: RunOptions;
  readonly trace: TraceBuilder;
  /** Stops listening to the request's signal. */
  readonly forget: () => void;
}

/**
 * The engine in a forked child, guarded: a run cannot be stopped from within (house.md, "Why a child process"), but a
 * child can be killed at any time and harms nobody. No `vscode` in here: listeners are plain functions.
 */
export class EngineClient implements Engine {
  readonly #options: EngineClientOptions;
  readonly #listeners = new Set<(state: EngineState) => void>();
  readonly #pending = new Map<number, Pending>();
  #state: EngineState = { name: 'stopped' };
  #child: ChildProcess | undefined;
  #ready = false;
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
    return this.#child?.pid;
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

  pool(): Promise<PoolInfo> {
    return this.#call('pool', undefined);
  }

  route(request: RouteRequest, options?: RunOptions): Promise<Trace> {
    return this.#call('route', request, options);
  }

  generate(request: GenerateRequest, options?: RunOptions): Promise<Trace> {
    return this.#call('generate', request, options);
  }

  attribute(request: RouteRequest, options?: RunOptions): Promise<Attribution> {
    return this.#call('attribute', request, options);
  }

  score(request: RouteRequest, options?: RunOptions): Promise<Score> {
    return this.#call('score', request, options);
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
    let child: ChildProcess;
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
      const cancel = () => {
        this.#post(child, { type: 'cancel', id });
        // The asker need not wait for the chunk to end; the child's own answer will find nobody.
        reject(cancelled());
      };
      signal?.addEventListener('abort', cancel, { once: true });
      this.#pending.set(id, {
        resolve,
        reject,
        options,
        trace: new TraceBuilder(),
        forget: () => signal?.removeEventListener('abort', cancel),
      });
      this.#post(child, { type: 'call', id, method, request, partial: options.onPartial !== undefined } as HostMessage);
      this.#watch();
    });
  }

  #start(): ChildProcess {
    const { entry, pool, cache, threads, chunk } = this.#options;
    const { NODE_OPTIONS: _unused, ...env } = process.env;
    const child = fork(entry, [], {
      serialization: 'advanced',
      // Not the host's own flags: a debugger's port among them would clash.
      execArgv: [],
      // In an editor's host the executable is Electron.
      env: { ...env, ELECTRON_RUN_AS_NODE: '1' },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child = child;
    this.#ready = false;
    for (const stream of [child.stdout, child.stderr])
      if (stream) createInterface(stream).on('line', (line) => this.#options.log?.(line));
    child.on('message', (message) => {
      if (child === this.#child) this.#receive(message as ChildMessage);
    });
    child.on('error', (error) => this.#options.log?.(`engine: ${error.message}`));
    child.on('exit', (code, signal) => {
      if (child === this.#child) this.#died(signal ?? `exit code ${String(code)}`);
    });
    this.#post(child, { type: 'start', options: { pool, cache, threads, chunk } });
    this.#setState({ name: 'starting' });
    return child;
  }

  #receive(message: ChildMessage): void {
    switch (message.type) {
      case 'ready':
        this.#ready = true;
        break;
      case 'progress':
        this.#pending.get(message.id)?.options.onProgress?.(message.done, message.total);
        break;
      case 'piece':
        this.#pending.get(message.id)?.trace.add(message.piece);
        break;
      case 'partial': {
        const pending = this.#pending.get(message.id);
        pending?.options.onPartial?.(pending.trace.build(message.head));
        break;
      }
      case 'trace':
        this.#settle(message.id, ({ resolve, trace }) => resolve(trace.build(message.head) as never));
        break;
      case 'result':
        this.#settle(message.id, ({ resolve }) => resolve(message.result as never));
        break;
      case 'error':
        this.#settle(message.id, ({ reject }) => reject(GanderError.fromData(message.error)));
        break;
    }
    this.#watch();
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
    const { deadlineMs = 120_000, idleMs = 300_000 } = this.#options;
    const busy = this.#pending.size > 0;
    this.#setState(this.#ready ? { name: 'ready', busy } : { name: 'starting' });
    if (busy && deadlineMs > 0) {
      this.#deadlineTimer = setTimeout(() => {
        this.#options.log?.(`engine: no sign of life for ${deadlineMs} ms, killed`);
        this.#child?.kill('SIGKILL');
      }, deadlineMs);
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
    child?.kill('SIGKILL');
    this.#setState({ name: 'stopped' });
    this.#rejectAll(reason);
  }

  #died(how: string): void {
    const { deaths: { most, within } = { most: 5, within: 60_000 } } = this.#options;
    const now = Date.now();
    this.#child = undefined;
    this.#deaths = [...this.#deaths.filter((at) => now - at < within), now];
    this.#options.log?.(`engine: died (${how})`);
    if (this.#deaths.length >= most) {
      const error = new GanderError(
        'engine-unavailable',
        `The engine died ${this.#deaths.length} times in a short while (last: ${how}).`,
        'See the Gander log, then restart the engine.',
      );
      this.#setState({ name: 'failed', error: error.toData() });
    } else {
      this.#setState({ name: 'stopped' });
    }
    this.#rejectAll(died(`The engine died (${how}).`));
  }

  #rejectAll(error: GanderError): void {
    clearTimeout(this.#deadlineTimer);
    clearTimeout(this.#idleTimer);
    for (const id of [...this.#pending.keys()]) this.#settle(id, ({ reject }) => reject(error));
  }

  #post(child: ChildProcess, message: HostMessage): void {
    // A child that died meanwhile is noticed by its exit, which rejects what is pending.
    if (child.connected) child.send(message, () => undefined);
  }

  #setState(state: EngineState): void {
    const before = this.#state;
    if (before.name === state.name && (state.name !== 'ready' || state.busy === (before as { busy?: boolean }).busy))
      return;
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }
}

function died(message: string): GanderError {
  return new GanderError('engine-died', message, 'Ask again; the engine is started anew.');
}

function cancelled(): GanderError {
  return new GanderError('cancelled', 'Cancelled.', 'Ask again when you like.');
}
