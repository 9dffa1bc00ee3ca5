import type {
  AttributeRequest,
  Attribution,
  GenerateRequest,
  Lens,
  LensRequest,
  PoolInfo,
  RouteRequest,
  RunOptions,
} from '../requests/api.js';
import { GanderError } from '../errors/errors.js';
import { heard } from '../errors/listener.js';
import type { SourceDescription } from '../requests/description.js';
import type { Source } from '../source/source.js';
import { blockColumns, sequenceColumns, tokenColumns } from '../trace/model/columns.js';
import type { Trace } from '../trace/model/trace.js';
import { Lru } from './lru.js';

/** What is shared and kept. */
type What = 'route' | 'attribute' | 'lens';
type Request = AttributeRequest & Partial<LensRequest>;
type Result = Trace | Attribution | Lens;

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
 * Asks the source, never twice for the same: callers with the same text, strategy and interventions share one run, and
 * finished results are kept up to a weight. A run ends early only when every caller that waits for it has given up.
 */
export class RoutingService {
  readonly #flights = new Map<string, Flight>();
  readonly #results: Lru<Result>;
  readonly #listeners = new Set<(source: SourceDescription | undefined) => void>();
  #description: Promise<SourceDescription> | undefined;

  /** `source` is asked at each run, so that it may be exchanged; call `forget` when it was. */
  constructor(
    private readonly source: () => Source,
    limitBytes = 256 * 1024 * 1024,
  ) {
    this.#results = new Lru(limitBytes, weigh);
  }

  /** What the source is and can do. */
  describe(): Promise<SourceDescription> {
    if (this.#description) return this.#description;
    const asked = attempt(() => this.source().describe());
    this.#description = asked;
    const known = (description: SourceDescription | undefined) => {
      if (this.#description !== asked) return;
      // A failure is not remembered: the person may have mended the pool.
      if (!description) this.#description = undefined;
      for (const listener of this.#listeners) listener(description);
    };
    asked.then(known, () => known(undefined));
    return asked;
  }

  /** Told what the source says of itself, or that it could not be asked. Returns what ends the listening. */
  onDescribed(listener: (source: SourceDescription | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The pool behind the source. Rejects for a source that is none. */
  async pool(): Promise<PoolInfo> {
    const { name } = await this.describe();
    return attempt(() => {
      const source = this.source();
      if (source.pool) return source.pool();
      throw new GanderError('request-invalid', `${name} is no pool on this machine.`, 'Choose a pool.');
    });
  }

  route(request: RouteRequest, options: RunOptions = {}): Promise<Trace> {
    return this.#ask('route', request, options) as Promise<Trace>;
  }

  attribute(request: AttributeRequest, options: RunOptions = {}): Promise<Attribution> {
    return this.#ask('attribute', request, options) as Promise<Attribution>;
  }

  lens(request: LensRequest, options: RunOptions = {}): Promise<Lens> {
    return this.#ask('lens', request, options) as Promise<Lens>;
  }

  /** Not shared and not kept: who asks again wants it written again. */
  generate(request: GenerateRequest, options: RunOptions = {}): Promise<Trace> {
    return attempt(async () => {
      const source = this.source();
      return source.generate ? source.generate(request, options) : this.#refuse('generate');
    });
  }

  /** The source is another one: what is known is void, what runs is of no use. */
  forget(): void {
    for (const { abort } of this.#flights.values()) abort.abort();
    this.#flights.clear();
    this.#results.clear();
    this.#description = undefined;
  }

  /** Says why the source does not do it. */
  async #refuse(what: What | 'generate'): Promise<never> {
    const { name, can } = await this.describe();
    const ability = can[what];
    const reason = ability === true ? `${name} cannot do this.` : ability.reason;
    throw new GanderError('request-invalid', reason, 'Choose a pool.');
  }

  async #ask(what: What, request: Request, options: RunOptions): Promise<Result> {
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

  #start(what: What, key: string, request: Request): Flight {
    const abort = new AbortController();
    const callers = new Set<Caller>();
    const all: RunOptions = {
      signal: abort.signal,
      onProgress: (done, total) => callers.forEach((c) => c.tell(({ onProgress }) => onProgress?.(done, total))),
      onPartial: (trace) => callers.forEach((c) => c.tell(({ onPartial }) => onPartial?.(trace))),
      onAttributed: (part) => callers.forEach((c) => c.tell(({ onAttributed }) => onAttributed?.(part))),
    };
    const promise = attempt<Result>(async () => {
      const source = this.source();
      return (await source[what]?.(request as LensRequest, all)) ?? this.#refuse(what);
    });
    const flight: Flight = { promise, abort, callers };
    const landed = (result?: Result) => {
      // After `forget` the result belongs to a source that is no more.
      if (this.#flights.get(key) !== flight) return;
      this.#flights.delete(key);
      if (result) this.#results.set(key, result);
    };
    promise.then(landed, () => landed());
    return flight;
  }
}

function keyOf(what: string, request: Request): string {
  const { text, target, maxTokens, strategy, interventions = [], layer, most, token, tried } = request;
  return JSON.stringify([what, strategy, interventions, layer, most, token, tried, text, target, maxTokens]);
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

/** In bytes, of what is large in it. */
export function weigh(result: Result): number {
  // Some thousand numbers and words.
  if ('layers' in result) return 100 * result.layers.length * result.routed.predictions;
  if ('change' in result) return result.change.byteLength + result.logProb.byteLength;
  let bytes = 0;
  const add = (column: { readonly byteLength: number } | undefined) => (bytes += column?.byteLength ?? 0);
  for (const block of result.blocks) for (const name of names(blockColumns)) add(block[name]);
  for (const sequence of result.sequences) {
    for (const name of names(sequenceColumns)) add(sequence[name]);
    for (const name of names(tokenColumns)) add(sequence.tokens[name]);
    // About what a short string costs, twice: a token and its alternatives.
    bytes += 2 * (sequence.text?.length ?? 0);
    bytes += 40 * ((sequence.tokens.text?.length ?? 0) + (sequence.topTokens?.length ?? 0));
  }
  return bytes;
}

const names = <T extends object>(table: T) => Object.keys(table) as (keyof T)[];
