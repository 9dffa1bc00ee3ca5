import { setImmediate as nextTurn } from 'node:timers/promises';
import { readJson } from '../pool/manifest.js';
import { type Pool, leftOutText, poolSignature, readPool } from '../pool/pool.js';
import { GanderError } from '../shared/errors.js';
import { ganderVersion } from '../shared/version.js';
import { checkedGenerate, checkedRoute } from '../trace/asked.js';
import type { Expert, Intervention, Strategy, Trace } from '../trace/trace.js';
import type {
  Attribution,
  Candidate,
  Engine,
  EngineOptions,
  GenerateRequest,
  PoolInfo,
  PoolKeeper,
  RouteRequest,
  RunOptions,
  Score,
} from './api.js';
import { Cache } from './cache.js';
import { examine } from './candidate.js';
import { type Composed, type Plan, compose, poolHash } from './compose.js';
import { continuationOffsets } from './continuation.js';
import { poolInfo, strategiesOf } from './info.js';
import { expertText, multitaskId } from './placing.js';
import { Recorder } from './recorder.js';
import { Retriever } from './retrieval.js';
import { sampleToken, seededRandom } from './sample.js';
import { type ChunkResult, RoutedSession, onnxruntimeVersion } from './session.js';
import { StrategySteering } from './steering.js';
import { Tokenizer, type Tokens } from './tokenizer.js';

/**
 * The engine in this process: what the forked child serves.
 *
 * Nothing heavy happens here: the pool is read and the graph composed on the first request that needs them.
 */
export async function createEngine(options: EngineOptions): Promise<Engine & PoolKeeper> {
  return Promise.resolve(new LocalEngine(options));
}

/** A pool as it is on disk now, and what is kept in memory of it. */
interface Loaded {
  readonly pool: Pool;
  readonly hash: string;
  readonly tokenizer: Tokenizer;
  readonly tokenizerHash: string;
  readonly endTokens: ReadonlySet<number>;
  composed?: Composed & { readonly withMultitask: boolean };
  session?: RoutedSession;
  retriever?: Retriever;
}

/** One request, ready to run. */
interface Run {
  readonly loaded: Loaded;
  readonly session: RoutedSession;
  readonly steering: StrategySteering;
  readonly strategy: Strategy;
  readonly interventions: readonly Intervention[];
  readonly tokens: Tokens;
}

/** Partial traces while generating: each costs a copy of all that is known, so not one a token. Milliseconds. */
const partialEvery = 150;

class LocalEngine implements Engine, PoolKeeper {
  readonly #options: EngineOptions;
  readonly #cache: Cache;
  #loaded: Loaded | undefined;
  #disposed = false;
  /** Requests run one after another: there is one session, and it blocks its thread. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#cache = new Cache(options.cache);
  }

  pool(options: RunOptions = {}): Promise<PoolInfo> {
    return this.#inTurn(options.signal, async () => {
      const loaded = await this.#load();
      return poolInfo(loaded.pool, loaded.hash, (await this.#composed(loaded, false)).plan);
    });
  }

  route(request: RouteRequest, options: RunOptions = {}): Promise<Trace> {
    return this.#inTurn(options.signal, async () => {
      const run = await this.#prepare(request, options.signal);
      const { tokens } = run;
      const recorder = this.#recorder(run, tokens.ids.length);
      const total = tokens.ids.length;
      await this.#prefill(run, options.signal, async (chunk, count) => {
        recorder.add(chunk, count);
        options.onProgress?.(recorder.done, total);
        if (recorder.done < total) await options.onPartial?.(recorder.trace(request.text, tokens));
      });
      return recorder.trace(request.text, tokens);
    });
  }

  generate(asked: GenerateRequest, options: RunOptions = {}): Promise<Trace> {
    return this.#inTurn(options.signal, async () => {
      const request = checkedGenerate(asked);
      const { temperature = 0, topP = 1, seed = 0, maxTokens } = request;
      const run = await this.#prepare(request, options.signal);
      const { loaded, tokens, session, steering } = run;
      const capacity = Math.min(tokens.ids.length + maxTokens, loaded.pool.contextLength);
      const recorder = this.#recorder(run, capacity);
      const random = seededRandom(seed);
      const generated: number[] = [];
      const prefixes: string[] = [];
      let partialAt = Date.now();
      const snapshot = () =>
        recorder.trace(
          request.text + (prefixes.at(-1) ?? ''),
          continued(tokens, request.text, generated, prefixes, loaded.tokenizer),
        );
      let last: ChunkResult = await this.#prefill(run, options.signal, (chunk, count) => {
        recorder.add(chunk, count);
        options.onProgress?.(recorder.done, capacity);
      });
      while (recorder.done < capacity) {
        const id = sampleToken(last.last, temperature, topP, random);
        if (loaded.endTokens.has(id)) break;
        await checkCancelled(options.signal, this.#disposed);
        generated.push(id);
        prefixes.push(await loaded.tokenizer.decode(generated));
        const done = recorder.done;
        // The log-probability of a token that was drawn is known only now: the run before had no target.
        recorder.setLogProb(done, logProbOf(last, id));
        last = await session.run(Int32Array.of(id), Int32Array.of(0), done, last.past, steering);
        recorder.add(last, 1);
        options.onProgress?.(recorder.done, capacity);
        if (options.onPartial && Date.now() - partialAt >= partialEvery) {
          await options.onPartial(snapshot());
          partialAt = Date.now();
        }
      }
      return snapshot();
    });
  }

  attribute(request: RouteRequest, options: RunOptions = {}): Promise<Attribution> {
    return this.#inTurn(options.signal, async () => {
      const run = await this.#prepare(request, options.signal);
      const experts = expertsOf(run.loaded.pool, run.session.plan);
      const t = run.tokens.ids.length;
      const total = t * (experts.length + 1);
      let passed = 0;
      const progress = (count: number) => options.onProgress?.((passed += count), total);
      const logProb = await this.#logProbs(run, options.signal, progress);
      const change = new Float32Array(t * experts.length);
      for (const [e, { id }] of experts.entries()) {
        const knockedOut: Intervention = { action: 'knock-out', expert: id, scope: {} };
        const steering = new StrategySteering(run.session.plan, run.strategy, [...run.interventions, knockedOut]);
        const without = await this.#logProbs({ ...run, steering }, options.signal, progress);
        for (let i = 0; i < t; i++) change[i * experts.length + e] = without[i]! - logProb[i]!;
      }
      return { experts, logProb, change };
    });
  }

  score(request: RouteRequest, options: RunOptions = {}): Promise<Score> {
    return this.#inTurn(options.signal, async () => {
      const run = await this.#prepare(request, options.signal);
      let passed = 0;
      const logProb = await this.#logProbs(run, options.signal, (count) =>
        options.onProgress?.((passed += count), run.tokens.ids.length),
      );
      return scoreOf(request.text, run.tokens, logProb);
    });
  }

  examine(folder: string): Promise<Candidate> {
    return this.#inTurn(undefined, async () => examine((await this.#load()).pool, folder));
  }

  dispose(): void {
    this.#disposed = true;
    void this.#queue.then(() => this.#release(this.#loaded));
  }

  async #inTurn<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(async () => {
      await checkCancelled(signal, this.#disposed);
      return work();
    });
    this.#queue = turn.catch(() => undefined);
    try {
      return await turn;
    } catch (error) {
      throw GanderError.from(error);
    }
  }

  /** The pool as it is now: read again when a file of it changed. */
  async #load(): Promise<Loaded> {
    const { pool: folder } = this.#options;
    if (this.#loaded && poolSignature(folder) === this.#loaded.pool.signature) return this.#loaded;
    await this.#release(this.#loaded);
    this.#loaded = undefined;
    const pool = readPool(folder);
    const tokenizerFile = pool.base.tokenizer;
    this.#loaded = {
      pool,
      hash: poolHash(pool, this.#cache),
      tokenizer: new Tokenizer(tokenizerFile),
      tokenizerHash: this.#cache.hash(tokenizerFile),
      endTokens: endTokensOf(pool),
    };
    return this.#loaded;
  }

  async #release(loaded: Loaded | undefined): Promise<void> {
    await loaded?.session?.release();
    await loaded?.retriever?.release();
  }

  /**
   * Composed anew when it went from the cache or was damaged there. The graph with the multitask adapter holds all that
   * the one without does, so it stays once it was asked for.
   */
  async #composed(loaded: Loaded, withMultitask: boolean): Promise<Composed> {
    const { composed, session } = loaded;
    if (composed && (composed.withMultitask || !withMultitask) && this.#cache.holds(composed.entry)) return composed;
    // Windows replaces no file that a session has open.
    await session?.release();
    delete loaded.session;
    const both = withMultitask || (composed?.withMultitask ?? false);
    loaded.composed = { ...compose(loaded.pool, loaded.hash, this.#cache, both), withMultitask: both };
    return loaded.composed;
  }

  async #session(loaded: Loaded, withMultitask: boolean): Promise<RoutedSession> {
    const composed = await this.#composed(loaded, withMultitask);
    loaded.session ??= await RoutedSession.open(composed, this.#options.threads);
    return loaded.session;
  }

  async #prepare(asked: RouteRequest, signal: AbortSignal | undefined): Promise<Run> {
    const request = checkedRoute(asked);
    if (request.text.length === 0)
      throw new GanderError('text-empty', 'There is no text to route.', 'Select some text.');
    const loaded = await this.#load();
    const available = strategiesOf(loaded.pool);
    if (!available.includes(request.strategy.name)) {
      throw new GanderError(
        'strategy-unavailable',
        `This pool does not offer the strategy "${request.strategy.name}".`,
        `Choose one of: ${available.join(', ')}.`,
      );
    }
    const { contextLength } = loaded.pool;
    const { length } = request.text;
    // Megabytes take seconds to tokenize; what is not far too long is not worth a look at the whole vocabulary.
    if (length > 16 * contextLength && length > loaded.tokenizer.longestToken * contextLength)
      throw tooLong(`${length} characters`, contextLength);
    const tokens = await loaded.tokenizer.encode(request.text);
    if (tokens.ids.length === 0) throw new GanderError('text-empty', 'The text holds no token.', 'Select some text.');
    if (tokens.ids.length > contextLength) throw tooLong(`${tokens.ids.length} tokens`, contextLength);
    await checkCancelled(signal, this.#disposed);
    const session = await this.#session(loaded, request.strategy.name === 'multitask');
    requireUsable(loaded.pool, session.plan, request);
    const strategy =
      request.strategy.name === 'retrieval'
        ? { ...request.strategy, expert: await this.#retrieve(loaded, request.text) }
        : request.strategy;
    const interventions = request.interventions ?? [];
    const steering = new StrategySteering(session.plan, strategy, interventions);
    return { loaded, session, strategy: steering.strategy, interventions, tokens, steering };
  }

  async #retrieve(loaded: Loaded, text: string): Promise<string> {
    loaded.retriever ??= await Retriever.open(loaded.pool, this.#options.threads);
    return loaded.retriever.expertFor(text);
  }

  /** Runs the whole text in chunks over the keys and values of those before. */
  async #prefill(
    run: Run,
    signal: AbortSignal | undefined,
    each: (chunk: ChunkResult, count: number) => unknown,
  ): Promise<ChunkResult> {
    const { ids } = run.tokens;
    const size = Math.max(1, this.#options.chunk);
    let chunk: ChunkResult | undefined;
    for (let done = 0; done < ids.length; done += size) {
      await checkCancelled(signal, this.#disposed);
      const part = ids.subarray(done, done + size);
      const targets = new Int32Array(part.length);
      targets.set(ids.subarray(done + 1, done + 1 + part.length));
      chunk = await run.session.run(part, targets, done, chunk?.past, run.steering);
      await each(chunk, part.length);
    }
    return chunk!;
  }

  /** [T] natural log-probabilities; NaN for the first. */
  async #logProbs(run: Run, signal: AbortSignal | undefined, progress: (count: number) => void): Promise<Float32Array> {
    const logProb = new Float32Array(run.tokens.ids.length).fill(NaN);
    let done = 0;
    await this.#prefill(run, signal, (chunk, count) => {
      for (let i = 0; i < count && done + i + 1 < logProb.length; i++) logProb[done + i + 1] = chunk.logProb[i]!;
      done += count;
      progress(count);
    });
    return logProb;
  }

  #recorder({ loaded, session, steering, strategy, interventions }: Run, capacity: number): Recorder {
    const { plan } = session;
    return new Recorder(
      {
        plan,
        experts: expertsOf(loaded.pool, plan),
        router: steering.router,
        strategy,
        interventions,
        pool: { id: loaded.pool.manifest.id, name: loaded.pool.manifest.name, hash: loaded.hash },
        tokenizer: { hash: loaded.tokenizerHash },
        versions: { gander: ganderVersion, onnxruntime: onnxruntimeVersion },
        readable: (id) => loaded.tokenizer.readable(id),
        k: steering.width,
      },
      capacity,
    );
  }
}

/** An expert that was left out is no expert that is not there: who asks for it is told why. */
function requireUsable(pool: Pool, plan: Plan, { strategy, interventions = [] }: RouteRequest): void {
  const asked = interventions.map(({ expert }) => expert);
  if (strategy.name === 'multitask') asked.push(multitaskId);
  if (strategy.name === 'single') asked.push(strategy.expert);
  for (const id of asked) {
    const error = plan.leftOut[id] ?? pool.leftOut.get(id);
    if (error) throw new GanderError(error.code, leftOutText(expertText(id), error), error.remedy);
  }
}

/** Those that the graph has; the others were left out with a warning. */
function expertsOf(pool: Pool, plan: Plan): Expert[] {
  return pool.experts.filter(({ id }) => plan.experts.includes(id)).map(({ id, name }) => ({ id, name }));
}

function tooLong(what: string, contextLength: number): GanderError {
  return new GanderError(
    'text-too-long',
    `The text has ${what}; this model takes at most ${contextLength} tokens.`,
    'Select less text.',
  );
}

/** Lets messages in first (a cancel among them): a run blocks the thread. */
async function checkCancelled(signal: AbortSignal | undefined, disposed: boolean): Promise<void> {
  if (signal) await nextTurn();
  if (signal?.aborted) throw new GanderError('cancelled', 'Cancelled.', 'Ask again when you like.');
  if (disposed) throw new GanderError('engine-unavailable', 'The engine was closed.', 'Ask again.');
}

function endTokensOf(pool: Pool): Set<number> {
  const config = readJson(pool.folder, pool.manifest.base.config) as { eos_token_id?: unknown };
  return new Set([config.eos_token_id].flat().filter((id): id is number => typeof id === 'number'));
}

function continued(
  prompt: Tokens,
  text: string,
  generated: readonly number[],
  prefixes: readonly string[],
  tokenizer: Tokenizer,
): Tokens {
  const { start, end } = continuationOffsets(prefixes, prefixes.at(-1) ?? '');
  const shifted = (offsets: Int32Array) => offsets.map((offset) => (offset < 0 ? -1 : offset + text.length));
  return {
    ids: Int32Array.of(...prompt.ids, ...generated),
    start: Int32Array.of(...prompt.start, ...shifted(start)),
    end: Int32Array.of(...prompt.end, ...shifted(end)),
    text: [...prompt.text, ...generated.map((id) => tokenizer.readable(id))],
  };
}

/** Natural log-probability of `id` after the chunk. */
function logProbOf({ last }: ChunkResult, id: number): number {
  let highest = -Infinity;
  for (const logit of last) if (logit > highest) highest = logit;
  let sum = 0;
  for (const logit of last) sum += Math.exp(logit - highest);
  return last[id]! - highest - Math.log(sum);
}

/** Only tokens that were predicted count: all but the first, and of those only what is text. */
function scoreOf(text: string, tokens: Tokens, logProb: Float32Array): Score {
  let bits = 0;
  let count = 0;
  let bytes = 0;
  let covered = tokens.start[0]! < 0 ? 0 : tokens.end[0]!;
  for (let i = 1; i < logProb.length; i++) {
    if (tokens.start[i]! < 0) continue;
    bits -= logProb[i]! / Math.LN2;
    count++;
    // A character spread over several tokens is counted once.
    if (tokens.end[i]! > covered) {
      bytes += Buffer.byteLength(text.slice(covered, tokens.end[i]));
      covered = tokens.end[i]!;
    }
  }
  return { bits, bytes, tokens: count };
}
