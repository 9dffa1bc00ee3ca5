import type { Attribution, Engine, GenerateRequest, PoolInfo, RouteRequest, RunOptions } from '../engine/api.js';
import { GanderError } from '../shared/errors.js';
import { heard } from '../shared/listener.js';
import type { Trace } from '../trace/trace.js';
import { Lru } from './lru.js';

type Result = Trace | Attribution;

/** A run that one or more callers wait for. */
interface Flight {
  readonly promise: Promise<Result>;
  readonly abort: AbortController;
  readonly callers: Set<Caller>;
}

interface Caller {
  /** Calls a listener; one that fails ends its own caller's wait and no other. */
  readonly tell: (how: (options: RunOptions) => unknown) => void;
}

/**
 * Asks the engine, never twice for the same: callers with the same text, strategy and interventions share one run, and
 * finished results are kept up to a weight. A run ends early only when every caller that waits for it has given up.
 */
export class RoutingService {
  readonly #flights = new Map<string, Flight>();
  readonly #results: Lru<Result>;
  readonly #poolListeners = new Set<(pool: PoolInfo | undefined) => void>();
  #pool: Promise<PoolInfo> | undefined;

  /** `engine` is asked at each run, so that it may be exchanged; call `forget` when its pool changed. */
  constructor(
    private readonly engine: () => Engine,
    limitBytes = 256 * 1024 * 1024,
  ) {
    this.#results = new Lru(limitBytes, weigh);
  }

  pool(): Promise<PoolInfo> {
    if (this.#pool) return this.#pool;
    const asked = attempt(() => this.engine().pool());
    this.#pool = asked;
    const known = (pool: PoolInfo | undefined) => {
      if (this.#pool !== asked) return;
      // A failure is not remembered: the person may have mended the pool.
      if (!pool) this.#pool = undefined;
      for (const listener of this.#poolListeners) listener(pool);
    };
    asked.then(known, () => known(undefined));
    return asked;
  }

  /** Told which pool there is, or that it could not be read. Returns what ends the listening. */
  onPool(listener: (pool: PoolInfo | undefined) => void): () => void {
    this.#poolListeners.add(listener);
    return () => this.#poolListeners.delete(listener);
  }

  route(request: RouteRequest, options: RunOptions = {}): Promise<Trace> {
    return this.#ask('route', request, options) as Promise<Trace>;
  }

  attribute(request: RouteRequest, options: RunOptions = {}): Promise<Attribution> {
    return this.#ask('attribute', request, options) as Promise<Attribution>;
  }

  /** Not shared and not kept: who asks again wants it written again. */
  generate(request: GenerateRequest, options: RunOptions = {}): Promise<Trace> {
    return attempt(() => this.engine().generate(request, options));
  }

  /** The pool is another one: what is known is void, what runs is of no use. */
  forget(): void {
    for (const { abort } of this.#flights.values()) abort.abort();
    this.#flights.clear();
    this.#results.clear();
    this.#pool = undefined;
  }

  async #ask(what: 'route' | 'attribute', request: RouteRequest, options: RunOptions): Promise<Result> {
    if (options.signal?.aborted) throw cancelled();
    const key = keyOf(what, request);
    const known = this.#results.get(key);
    if (known) return known;
    let flight = this.#flights.get(key);
    if (!flight || flight.abort.signal.aborted) {
      flight = this.#start(what, key, request);
      this.#flights.set(key, flight);
    }
    return wait(flight, options);
  }

  #start(what: 'route' | 'attribute', key: string, request: RouteRequest): Flight {
    const abort = new AbortController();
    const callers = new Set<Caller>();
    const all: RunOptions = {
      signal: abort.signal,
      onProgress: (done, total) => callers.forEach((c) => c.tell(({ onProgress }) => onProgress?.(done, total))),
      onPartial: (trace) => callers.forEach((c) => c.tell(({ onPartial }) => onPartial?.(trace))),
    };
    const promise = attempt<Result>(() => this.engine()[what](request, all));
    const flight: Flight = { promise, abort, callers };
    const landed = (result?: Result) => {
      // After `forget` the result belongs to a pool that is no more.
      if (this.#flights.get(key) !== flight) return;
      this.#flights.delete(key);
      if (result) this.#results.set(key, result);
    };
    promise.then(landed, () => landed());
    return flight;
  }
}

function keyOf(what: string, { text, strategy, interventions = [] }: RouteRequest): string {
  return JSON.stringify([what, strategy, interventions, text]);
}

/** One caller's wait: it ends at the caller's own signal, while the run goes on for the others. */
function wait(flight: Flight, options: RunOptions): Promise<Result> {
  const { signal } = options;
  return new Promise<Result>((resolve, reject) => {
    const leave = () => {
      signal?.removeEventListener('abort', give);
      flight.callers.delete(caller);
    };
    const giveUp = (error: GanderError) => {
      leave();
      if (flight.callers.size === 0) flight.abort.abort();
      reject(error);
    };
    const give = () => giveUp(cancelled());
    const caller: Caller = {
      tell: (how) => heard(() => how(options), giveUp),
    };
    flight.callers.add(caller);
    signal?.addEventListener('abort', give, { once: true });
    flight.promise.then(
      (result) => {
        leave();
        resolve(result);
      },
      (error: unknown) => {
        leave();
        reject(GanderError.from(error));
      },
    );
  });
}

/** What throws at once and what rejects are the same to the caller. */
async function attempt<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw GanderError.from(error);
  }
}

function cancelled(): GanderError {
  return new GanderError('cancelled', 'The run was cancelled.', 'Run it again when you want it.');
}

function weigh(result: Result): number {
  if ('change' in result) return result.change.byteLength + result.logProb.byteLength;
  const arrays = [
    result.affinity,
    result.chosen,
    result.weight,
    result.contribution,
    result.logProb,
    result.topIds,
    result.topLogProb,
  ];
  const bytes = arrays.reduce((sum, array) => sum + (array?.byteLength ?? 0), 0);
  // About what a short string costs, twice: a token and its alternatives.
  return bytes + 2 * result.text.length + 40 * (result.tokens.text.length + (result.topTokens?.length ?? 0));
}
