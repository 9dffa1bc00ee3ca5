import type { Attribution, Engine, EngineOptions, GenerateRequest, PoolInfo, RouteRequest, RunOptions, Score } from './api.js';
import type { Trace } from '../trace/trace.js';
import type { ErrorData } from '../shared/errors.js';

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
  /** A request without progress for so long has its child killed and is rejected with `engine-died`; 0: never. Milliseconds. Default 2 minutes. */
  readonly deadlineMs?: number;
  /** A line that the child wrote to its standard output or error, or that the client has to say. */
  readonly log?: (line: string) => void;
}

/** The engine in a forked child (`serialization: 'advanced'`), guarded. No `vscode` in here: listeners are plain functions. */
export class EngineClient implements Engine {
  readonly #options: EngineClientOptions;
  #state: EngineState = { name: 'stopped' };

  constructor(options: EngineClientOptions) {
    this.#options = options;
  }

  get state(): EngineState {
    return this.#state;
  }

  /** Process id of the child, while there is one. */
  get pid(): number | undefined {
    return undefined;
  }

  /** Returns what ends the listening. */
  onStateChange(_listener: (state: EngineState) => void): () => void {
    void this.#options;
    return () => {};
  }

  /** Ends the child, forgets past failures; the next request starts a new one. Pending requests reject with `engine-died`. */
  restart(): void {}

  pool(): Promise<PoolInfo> {
    throw new Error('to come');
  }
  route(_request: RouteRequest, _options?: RunOptions): Promise<Trace> {
    throw new Error('to come');
  }
  generate(_request: GenerateRequest, _options?: RunOptions): Promise<Trace> {
    throw new Error('to come');
  }
  attribute(_request: RouteRequest, _options?: RunOptions): Promise<Attribution> {
    throw new Error('to come');
  }
  score(_request: RouteRequest, _options?: RunOptions): Promise<Score> {
    throw new Error('to come');
  }
  /** Ends the child and rejects what is pending. */
  dispose(): void {}
}
