import { setImmediate as nextTurn } from 'node:timers/promises';
import { GanderError } from '../shared/errors.js';
import { checkedAttribute, checkedGenerate, checkedRoute } from '../source/asked.js';
import { random } from '../statistics/random.js';
import { attributedExperts } from '../trace/attributed.js';
import type { Trace } from '../trace/trace.js';
import type {
  AttributeRequest,
  Attribution,
  Candidate,
  Engine,
  EngineOptions,
  GenerateRequest,
  ModelInfo,
  PoolKeeper,
  RouteRequest,
  RunOptions,
  Score,
} from './api.js';
import { familyOf } from './families/index.js';
import type { Means, Model, Run } from './families/family.js';
import { Cache } from './runtime/cache.js';
import type { Step } from './runtime/causal.js';
import { Continuation } from './runtime/continuation.js';
import { bytesIn, loadingTime } from './runtime/folder.js';
import { Recorder } from './runtime/recorder.js';
import { sampleToken } from './runtime/sample.js';
import { joinedTokens, type TextTokens } from './runtime/tokenizer.js';

/**
 * The engine in this process: what the forked child serves. It knows no kind of model (families/family.ts).
 *
 * Nothing heavy happens here: the folder is read and the graph composed on the first request that needs them.
 */
export async function createEngine(options: EngineOptions, onLoading?: OnLoading): Promise<Engine & PoolKeeper> {
  return Promise.resolve(new LocalEngine(options, onLoading));
}

/** Told, before the process falls silent over it, how long a load may take. The load waits for a promise that it returns. */
type OnLoading = (mayTake: number) => unknown;

/** One request, ready to run. */
interface Prepared {
  readonly model: Model;
  readonly run: Run;
  readonly tokens: TextTokens;
}

/** Partial traces while generating are apart by so much at least. Milliseconds. */
const partialEvery = 150;

class LocalEngine implements Engine, PoolKeeper {
  readonly #options: EngineOptions;
  readonly #means: Means;
  #model: Model | undefined;
  #disposed = false;
  /** Requests run one after another: there is one session, and it blocks its thread. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: EngineOptions, onLoading: OnLoading | undefined) {
    this.#options = options;
    this.#means = {
      cache: new Cache(options.cache),
      threads: options.threads,
      loading: async () => {
        await onLoading?.(loadingTime(bytesIn(options.pool)));
      },
    };
  }

  info(options: RunOptions = {}): Promise<ModelInfo> {
    return this.#inTurn(options.signal, async () => (await this.#load()).info());
  }

  route(request: RouteRequest, options: RunOptions = {}): Promise<Trace> {
    return this.#inTurn(options.signal, async () => {
      const prepared = await this.#prepare(request, options.signal);
      const { run, tokens } = prepared;
      const total = tokens.ids.length;
      const recorder = recorderOf(prepared, total);
      await this.#prefill(run, tokens, options.signal, async (step, count) => {
        recorder.add(step, count);
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
      const prepared = await this.#prepare(request, options.signal);
      const { model, run, tokens } = prepared;
      const capacity = Math.min(tokens.ids.length + maxTokens, model.contextLength);
      const recorder = recorderOf(prepared, capacity);
      const next = random(seed);
      const written = new Continuation(model.tokenizer);
      const snapshot = () =>
        recorder.trace(request.text + written.text, joinedTokens(tokens, written.tokens(), request.text.length));
      const partly = new Sparing(partialEvery);
      let last: Step = await this.#prefill(run, tokens, options.signal, (step, count) => {
        recorder.add(step, count);
        options.onProgress?.(recorder.done, capacity);
      });
      while (recorder.done < capacity) {
        const id = sampleToken(last.last, temperature, topP, next);
        if (model.endTokens.has(id)) break;
        await checkCancelled(options.signal, this.#disposed);
        await written.add(id);
        const { done } = recorder;
        // The log-probability of a token that was drawn is known only now: the run before had no target.
        recorder.setLogProb(done, logProbOf(last, id));
        last = await run.run({ ids: Int32Array.of(id), targets: Int32Array.of(0), done, past: last.past });
        recorder.add(last, 1);
        options.onProgress?.(recorder.done, capacity);
        await partly.run(() => options.onPartial?.(snapshot()));
      }
      return snapshot();
    });
  }

  attribute(asked: AttributeRequest, options: RunOptions = {}): Promise<Attribution> {
    return this.#inTurn(options.signal, async () => {
      const request = checkedAttribute(asked);
      const prepared = await this.#prepare(request, options.signal);
      const { run, tokens } = prepared;
      const t = tokens.ids.length;
      const recorder = recorderOf(prepared, t);
      await this.#prefill(run, tokens, options.signal, (step, count) => recorder.add(step, count));
      const trace = recorder.trace(request.text, tokens);
      const experts = attributedExperts(trace, request);
      const logProb = trace.sequences[0]!.logProb!;
      const total = t * (experts.length + 1);
      let passed = 0;
      const progress = (count: number) => options.onProgress?.((passed += count), total);
      progress(t);
      const change = new Float32Array(t * experts.length);
      for (const [e, { id }] of experts.entries()) {
        const without = run.with({ action: 'knock-out', expert: id, scope: {} });
        const other = await this.#logProbs(without, tokens, options.signal, progress);
        for (let i = 0; i < t; i++) change[i * experts.length + e] = other[i]! - logProb[i]!;
      }
      return { experts, logProb, change };
    });
  }

  score(request: RouteRequest, options: RunOptions = {}): Promise<Score> {
    return this.#inTurn(options.signal, async () => {
      const { run, tokens } = await this.#prepare(request, options.signal);
      let passed = 0;
      const logProb = await this.#logProbs(run, tokens, options.signal, (count) =>
        options.onProgress?.((passed += count), tokens.ids.length),
      );
      return scoreOf(request.text, tokens, logProb);
    });
  }

  examine(folder: string): Promise<Candidate> {
    return this.#inTurn(undefined, async () => {
      const model = await this.#load();
      if (model.examine) return model.examine(folder);
      throw new GanderError('request-invalid', 'This model takes no more experts.', 'Choose a pool of experts.');
    });
  }

  dispose(): void {
    this.#disposed = true;
    void this.#queue.then(() => this.#model?.release());
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

  /** The folder as it is now: read again when a file of it changed. */
  async #load(): Promise<Model> {
    const { pool: folder } = this.#options;
    if (this.#model?.isCurrent()) return this.#model;
    await this.#model?.release();
    this.#model = undefined;
    await this.#means.loading();
    this.#model = familyOf(folder).open(folder, this.#means);
    return this.#model;
  }

  async #prepare(asked: RouteRequest, signal: AbortSignal | undefined): Promise<Prepared> {
    const request = checkedRoute(asked);
    const { text } = request;
    if (text.length === 0) throw new GanderError('text-empty', 'There is no text to route.', 'Select some text.');
    const model = await this.#load();
    const { contextLength, tokenizer } = model;
    // Megabytes take seconds to tokenize; what is not far too long is not worth a look at the whole vocabulary.
    if (text.length > 16 * contextLength && text.length > tokenizer.longestToken * contextLength)
      throw tooLong(`${text.length} characters`, contextLength);
    const tokens = await tokenizer.encode(text);
    if (tokens.ids.length === 0) throw new GanderError('text-empty', 'The text holds no token.', 'Select some text.');
    if (tokens.ids.length > contextLength) throw tooLong(`${tokens.ids.length} tokens`, contextLength);
    await checkCancelled(signal, this.#disposed);
    return { model, tokens, run: await model.begin(request, tokens) };
  }

  /** Runs the whole text in chunks over the keys and values of those before. */
  async #prefill(
    run: Run,
    { ids }: TextTokens,
    signal: AbortSignal | undefined,
    each: (step: Step, count: number) => unknown,
  ): Promise<Step> {
    const size = Math.max(1, this.#options.chunk);
    let step: Step | undefined;
    for (let done = 0; done < ids.length; done += size) {
      await checkCancelled(signal, this.#disposed);
      const part = ids.subarray(done, done + size);
      const targets = new Int32Array(part.length);
      targets.set(ids.subarray(done + 1, done + 1 + part.length));
      step = await run.run({ ids: part, targets, done, past: step?.past });
      await each(step, part.length);
    }
    return step!;
  }

  /** [T] natural log-probabilities; NaN for the first. */
  async #logProbs(
    run: Run,
    tokens: TextTokens,
    signal: AbortSignal | undefined,
    progress: (count: number) => void,
  ): Promise<Float32Array> {
    const logProb = new Float32Array(tokens.ids.length).fill(NaN);
    let done = 0;
    await this.#prefill(run, tokens, signal, (step, count) => {
      for (let i = 0; i < count && done + i + 1 < logProb.length; i++) logProb[done + i + 1] = step.logProb[i]!;
      done += count;
      progress(count);
    });
    return logProb;
  }
}

/** For what takes the longer the more is known: the work goes on between, for ten times as long as it took. */
class Sparing {
  #next: number;

  constructor(private readonly least: number) {
    this.#next = Date.now() + least;
  }

  async run(work: () => unknown): Promise<void> {
    const start = Date.now();
    if (start < this.#next) return;
    await work();
    const end = Date.now();
    this.#next = end + Math.max(this.least, 10 * (end - start));
  }
}

function recorderOf({ model, run }: Prepared, capacity: number): Recorder {
  return new Recorder(run.recording, capacity, (id) => model.tokenizer.readable(id));
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

/** Natural log-probability of `id` after the step. */
function logProbOf({ last }: Step, id: number): number {
  let highest = -Infinity;
  for (const logit of last) if (logit > highest) highest = logit;
  let sum = 0;
  for (const logit of last) sum += Math.exp(logit - highest);
  return last[id]! - highest - Math.log(sum);
}

/** Only tokens that were predicted count: all but the first, and of those only what is text. */
function scoreOf(text: string, tokens: TextTokens, logProb: Float32Array): Score {
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
