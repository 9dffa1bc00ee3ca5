import type { PoolInfo } from '../requests/api.js';
import { answerOf, Askable, type OptionsOf, type RequestOf, type ResultOf } from '../requests/ask.js';
import { type RequestName, rowOf } from '../requests/table.js';
import { GanderError } from '../errors/errors.js';
import { isObject } from '../checks/plain.js';
import { heard } from '../errors/listener.js';
import { type Ability, type SourceDescription, unable } from '../requests/description.js';
import type { Source } from '../source/source.js';
import type { Options } from '../channel/messages.js';
import { Lru } from './lru.js';

/** A run that one or more callers wait for. */
interface Flight {
  readonly promise: Promise<unknown>;
  readonly abort: AbortController;
  readonly callers: Set<Caller>;
}

interface Caller {
  /** Calls a listener. One that fails ends only its own caller's wait. */
  readonly tell: (how: (options: Options<unknown>) => unknown) => void;
}

/**
 * Asks the source, and for the requests that the table marks as kept never twice for the same: callers that ask the same share one
 * run, and finished results are kept up to a total size. A run ends early only when every caller that waits for it has given up.
 */
export class RoutingService extends Askable {
  readonly #flights = new Map<string, Flight>();
  readonly #results: Lru<unknown>;
  readonly #listeners = new Set<(source: SourceDescription | undefined) => void>();
  #description: Promise<SourceDescription> | undefined;
  #replacements = 0;

  /** `source` is called for each run, so that it can be replaced; call `forget` after that. */
  constructor(
    private readonly source: () => Source,
    limitBytes = 256 * 1024 * 1024,
  ) {
    super();
    this.#results = new Lru(limitBytes, weigh);
  }

  /** What the source is and can do. */
  describe(): Promise<SourceDescription> {
    if (this.#description) return this.#description;
    const asked = attempt(() => this.source().describe());
    this.#description = asked;
    const known = (description: SourceDescription | undefined) => {
      if (this.#description !== asked) return;
      // A failure is not remembered, because the person may repair the pool.
      if (!description) this.#description = undefined;
      for (const listener of this.#listeners) listener(description);
    };
    asked.then(known, () => known(undefined));
    return asked;
  }

  /** Called with the source's description, or undefined if it could not be asked. Returns a function that stops listening. */
  onDescribed(listener: (source: SourceDescription | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The pool behind the source. Rejects if the source is not a pool. */
  async pool(): Promise<PoolInfo> {
    const { name } = await this.describe();
    return attempt(() => {
      const source = this.source();
      if (source.pool) return source.pool();
      throw new GanderError('request-invalid', `${name} is not a pool on this machine.`, 'Choose a pool.');
    });
  }

  async ask<N extends RequestName>(name: N, request: RequestOf<N>, options: OptionsOf<N> = {}): Promise<ResultOf<N>> {
    if (!rowOf(name).isKept) return this.#answer(name, request, options);
    return this.#share(name, request, options) as Promise<ResultOf<N>>;
  }

  /** Works again if the source was replaced meanwhile: how it ended says nothing about the new one. */
  async onOneSource(work: () => Promise<void>, { signal }: Pick<Options<unknown>, 'signal'>): Promise<void> {
    for (;;) {
      const before = this.#replacements;
      try {
        await work();
        return;
      } catch (error) {
        if (this.#replacements === before || signal?.aborted) throw error;
      }
    }
  }

  /** Resolves once no run is under way, nor one that was about to begin with what is known now. */
  async idle(): Promise<void> {
    do {
      await Promise.allSettled([...this.#flights.values()].map(({ promise }) => promise));
      await new Promise(setImmediate);
    } while (this.#flights.size > 0);
  }

  /** The source was replaced: forgets all results and ends all runs. */
  forget(): void {
    this.#replacements++;
    for (const { abort } of this.#flights.values()) abort.abort();
    this.#flights.clear();
    this.#results.clear();
    this.#description = undefined;
  }

  /** The source's answer. Rejects with the reason if it has none. */
  #answer<N extends RequestName>(name: N, request: RequestOf<N>, options: OptionsOf<N>): Promise<ResultOf<N>> {
    return attempt(async () => {
      const answer = answerOf(this.source(), name, request, options);
      if (answer) return answer;
      const can: Partial<Record<RequestName, Ability>> = (await this.describe()).can;
      throw unable(name, can[name]);
    });
  }

  async #share<N extends RequestName>(name: N, request: RequestOf<N>, options: OptionsOf<N>): Promise<unknown> {
    if (options.signal?.aborted) throw cancelled();
    const key = keyOf(name, request);
    const known = this.#results.get(key);
    if (known) return known;
    let flight = this.#flights.get(key);
    if (!flight || flight.abort.signal.aborted) {
      flight = this.#start(name, key, request);
      this.#flights.set(key, flight);
    }
    return wait(flight, options as Options<unknown>);
  }

  #start<N extends RequestName>(name: N, key: string, request: RequestOf<N>): Flight {
    const abort = new AbortController();
    const callers = new Set<Caller>();
    const all: Options<unknown> = {
      signal: abort.signal,
      onProgress: (done, total) => callers.forEach((c) => c.tell(({ onProgress }) => onProgress?.(done, total))),
      onPartial: (part) => callers.forEach((c) => c.tell(({ onPartial }) => onPartial?.(part))),
    };
    const promise: Promise<unknown> = this.#answer(name, request, all);
    const flight: Flight = { promise, abort, callers };
    const landed = (result?: unknown) => {
      // After `forget`, the result belongs to a source that is no longer used.
      if (this.#flights.get(key) !== flight) return;
      this.#flights.delete(key);
      if (result) this.#results.set(key, result);
    };
    promise.then(landed, () => landed());
    return flight;
  }
}

/** The same for requests that ask the same: empty or undefined fields make no difference, nor does their order. */
function keyOf(name: string, request: unknown): string {
  const asked = isObject(request) ? Object.entries(request) : [['', request] as const];
  const said = asked.filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0));
  return JSON.stringify([name, ...said.sort(([a], [b]) => (a < b ? -1 : 1))]);
}

/** One caller's wait: it ends at the caller's own signal, while the run goes on for the others. */
function wait(flight: Flight, options: Options<unknown>): Promise<unknown> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
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

/** Turns an error that is thrown at once into a rejection too. */
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

/** What a short string takes besides its letters. Bytes. */
const stringBytes = 40;

/** The approximate size of a result in bytes, from its arrays, texts and lists. */
export function weigh(result: unknown): number {
  if (typeof result === 'string') return stringBytes + 2 * result.length;
  if (!isObject(result)) return 8;
  if (ArrayBuffer.isView(result)) return result.byteLength;
  let bytes = 0;
  for (const part of Array.isArray(result) ? (result as readonly unknown[]) : Object.values(result))
    bytes += weigh(part);
  return bytes;
}
