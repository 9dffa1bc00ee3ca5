import { GanderError } from '../errors/errors.js';
import { writtenTokens } from '../checks/limits.js';
import { checkedAttribute, checkedGenerate, checkedLens, checkedPool, checkedRoute } from '../requests/checked.js';
import { random } from '../statistics/random.js';
import { attributedExperts } from '../trace/figures/attributed.js';
import type { Trace } from '../trace/model/trace.js';
import type {
  AttributeRequest,
  Attribution,
  Candidate,
  Engine,
  EngineOptions,
  GenerateRequest,
  Lens,
  LensColumn,
  LensRequest,
  ModelInfo,
  PoolKeeper,
  PoolRequest,
  RouteRequest,
  RunOptions,
  Score,
  Similarity,
} from '../requests/api.js';
import { familyOf } from './families/index.js';
import type { LensRun, Means, Model } from './families/family.js';
import { Cache } from './runtime/cache.js';
import type { Step } from './runtime/causal.js';
import { Continuation } from './runtime/continuation.js';
import {
  checkCancelled,
  logProbsOf,
  prefill,
  readsOf,
  recorderOf,
  tokensOf,
  type Check,
  type Prepared,
  type TextRead,
} from './prepared.js';
import { bytesIn, loadingTime } from './runtime/folder.js';
import { sampleToken } from './runtime/sample.js';
import { joinedTokens, textTokens, type TextTokens } from './runtime/tokenizer.js';

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

type Writing = Pick<GenerateRequest, 'maxTokens' | 'temperature' | 'topP' | 'seed'>;

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

  route(asked: RouteRequest, options: RunOptions = {}): Promise<Trace> {
    return this.#inTurn(options.signal, async () => {
      const request = checkedRoute(asked);
      const prepared = await this.#prepare(request, options.signal);
      if (prepared.isOpen) return (await this.#write(prepared, greedy(request), options)).trace;
      const { reads } = prepared;
      const total = tokensOf(prepared);
      const recorder = recorderOf(prepared, reads.at(-1)!.tokens.count);
      let passed = 0;
      await this.#prefill(prepared, options.signal, async (step, count, sequence) => {
        recorder.add(step, count, sequence);
        passed += count;
        options.onProgress?.(passed, total);
        if (passed < total) await options.onPartial?.(recorder.trace(reads));
      });
      return recorder.trace(reads);
    });
  }

  generate(asked: GenerateRequest, options: RunOptions = {}): Promise<Trace> {
    return this.#inTurn(options.signal, async () => {
      const request = checkedGenerate(asked);
      const prepared = await this.#prepare(request, options.signal);
      return (await this.#write(prepared, request, options)).trace;
    });
  }

  attribute(asked: AttributeRequest, options: RunOptions = {}): Promise<Attribution> {
    return this.#inTurn(options.signal, async () => {
      const request = checkedAttribute(asked);
      const { prepared, trace } = await this.#traced(request, options.signal);
      const experts = attributedExperts(trace, request);
      const logProb = trace.sequences.at(-1)!.logProb!;
      const t = logProb.length;
      const each = tokensOf(prepared);
      let passed = 0;
      const progress = (count: number) => options.onProgress?.((passed += count), each * (experts.length + 1));
      progress(each);
      const change = new Float32Array(t * experts.length);
      for (const [e, { id }] of experts.entries()) {
        const without = prepared.run.with({ action: 'knock-out', expert: id, scope: {} });
        const other = await this.#logProbs({ ...prepared, run: without }, options.signal, progress);
        const own = other.map((x, i) => x - logProb[i]!);
        own.forEach((x, i) => (change[i * experts.length + e] = x));
        await options.onAttributed?.({ experts: [experts[e]!], logProb, change: own, of: experts.length });
      }
      return { experts, logProb, change };
    });
  }

  score(asked: RouteRequest, options: RunOptions = {}): Promise<Score> {
    return this.#inTurn(options.signal, async () => {
      const prepared = await this.#prepare(checkedRoute(asked), options.signal);
      if (prepared.isOpen)
        throw new GanderError(
          'request-invalid',
          'An encoder-decoder is scored by an output that is given.',
          'Give a target.',
        );
      const total = tokensOf(prepared);
      let passed = 0;
      const logProb = await this.#logProbs(prepared, options.signal, (count) =>
        options.onProgress?.((passed += count), total),
      );
      const { text, tokens } = prepared.reads.at(-1)!;
      return scoreOf(text, tokens, logProb);
    });
  }

  similarity(asked: PoolRequest = {}, { signal, onProgress }: RunOptions = {}): Promise<Similarity> {
    return this.#inTurn(signal, async () => {
      const model = await this.#load(checkedPool(asked).tried);
      if (!model.similarity)
        throw new GanderError(
          'request-invalid',
          'The experts of a mixture are no adapters with gates: they are not compared.',
          'Choose a pool of experts.',
        );
      return model.similarity(async (done, total) => {
        await this.#check(signal)();
        onProgress?.(done, total);
      });
    });
  }

  lens(asked: LensRequest, options: RunOptions = {}): Promise<Lens> {
    return this.#inTurn(options.signal, async () => {
      const request = checkedLens(asked);
      const { token } = request;
      const model = await this.#load(request.tried);
      const reads = await this.#readsWritten(model, request, options.signal);
      const { ids, count } = reads.at(-1)!.tokens;
      if (token >= count)
        throw new GanderError(
          'request-invalid',
          `The text has ${count} tokens; ${token} is the number of none of them.`,
          `Choose one from 0 to ${count - 1}.`,
        );
      const next = token + 1 < count ? ids[token + 1]! : undefined;
      await this.#check(options.signal)();
      const { layers, routed, without } = await model.beginLens(request, { token, next: next ?? 0 });
      // As the run was cut, so that what each layer gives is what it gave there.
      const read = readTo(reads, token, this.#options.chunk);
      const runs = 'none' in without ? [routed] : [routed, without];
      const total = runs.length * tokensOf({ reads: read });
      let passed = 0;
      const columnOf = async (run: LensRun): Promise<LensColumn> => {
        const step = await this.#prefill({ run, reads: read }, options.signal, (_, tokens) =>
          options.onProgress?.((passed += tokens), total),
        );
        return lensColumn(step, model, next);
      };
      return {
        token,
        ids: ids.slice(0, token + 2),
        layers,
        routed: await columnOf(routed),
        without: 'none' in without ? without : await columnOf(without),
      };
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
  async #load(tried?: string): Promise<Model> {
    const { pool: folder } = this.#options;
    if (this.#model?.tried === tried && this.#model?.isCurrent()) return this.#model;
    await this.#model?.release();
    this.#model = undefined;
    await this.#means.loading();
    this.#model = familyOf(folder).open(folder, this.#means, tried);
    return this.#model;
  }

  async #prepare(request: RouteRequest, signal: AbortSignal | undefined): Promise<Prepared> {
    const model = await this.#load(request.tried);
    const reads = await readsOf(model, request);
    await this.#check(signal)();
    return { model, ...reads, run: await model.begin(request) };
  }

  /** What is read; an output that was left open is what is written. */
  async #readsWritten(
    model: Model,
    request: RouteRequest,
    signal: AbortSignal | undefined,
  ): Promise<readonly TextRead[]> {
    const { reads, isOpen } = await readsOf(model, request);
    if (!isOpen) return reads;
    const prepared = { model, reads, isOpen, run: await model.begin(request) };
    return (await this.#write(prepared, greedy(request), signal ? { signal } : {})).reads;
  }

  /** What was asked for with its trace; an output that was left open is what was written. */
  async #traced(
    request: RouteRequest,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly prepared: Prepared; readonly trace: Trace }> {
    const prepared = await this.#prepare(request, signal);
    if (prepared.isOpen) {
      const { trace, reads } = await this.#write(prepared, greedy(request), signal ? { signal } : {});
      return { trace, prepared: { ...prepared, reads, isOpen: false } };
    }
    const recorder = recorderOf(prepared, prepared.reads.at(-1)!.tokens.count);
    await this.#prefill(prepared, signal, (step, count, sequence) => recorder.add(step, count, sequence));
    return { prepared, trace: recorder.trace(prepared.reads) };
  }

  /** Goes on with the last sequence, token by token. */
  async #write(
    prepared: Prepared,
    { maxTokens, temperature = 0, topP = 1, seed = 0 }: Writing,
    { signal, onProgress, onPartial }: RunOptions,
  ): Promise<{ readonly trace: Trace; readonly reads: readonly TextRead[] }> {
    const { model, run } = prepared;
    const before = prepared.reads.slice(0, -1);
    const begun = prepared.reads.at(-1)!;
    const capacity = Math.min(begun.tokens.count + maxTokens, model.contextLength);
    const total = tokensOf({ reads: before }) + capacity;
    const recorder = recorderOf(prepared, capacity);
    const next = random(seed);
    const written = new Continuation(model.tokenizer);
    const reads = () => [
      ...before,
      {
        text: begun.text + written.text,
        tokens: joinedTokens(begun.tokens, written.tokens(), begun.text.length),
      },
    ];
    const partly = new Sparing(partialEvery);
    let passed = 0;
    let last: Step = await this.#prefill(prepared, signal, (step, count, sequence) => {
      recorder.add(step, count, sequence);
      passed += count;
      onProgress?.(passed, total);
    });
    while (recorder.done() < capacity) {
      const id = sampleToken(last.last, temperature, topP, next);
      if (model.endTokens.has(id)) break;
      await this.#check(signal)();
      await written.add(id);
      const done = recorder.done();
      // The log-probability of a token that was drawn is known only now: the run before had no target.
      recorder.setLogProb(done, logProbOf(last, id));
      last = await run.run({ ids: Int32Array.of(id), targets: Int32Array.of(0), done, past: last.past });
      recorder.add(last, 1);
      onProgress?.(++passed, total);
      await partly.run(() => onPartial?.(recorder.trace(reads())));
    }
    const all = reads();
    return { trace: recorder.trace(all), reads: all };
  }

  #prefill(
    prepared: Parameters<typeof prefill>[0],
    signal: AbortSignal | undefined,
    each: Parameters<typeof prefill>[3],
  ): Promise<Step> {
    return prefill(prepared, this.#options.chunk, this.#check(signal), each);
  }

  #logProbs(prepared: Prepared, signal: AbortSignal | undefined, progress: (count: number) => void) {
    return logProbsOf(prepared, this.#options.chunk, this.#check(signal), progress);
  }

  #check(signal: AbortSignal | undefined): Check {
    return () => checkCancelled(signal, this.#disposed);
  }
}

/** As far as the chunk with the token in it. */
function readTo(reads: readonly TextRead[], token: number, chunk: number): readonly TextRead[] {
  const size = Math.max(1, chunk);
  const { text, tokens } = reads.at(-1)!;
  const { ids, start, end, text: written } = tokens;
  const to = Math.min(tokens.count, (Math.floor(token / size) + 1) * size);
  const first = {
    ids: ids.subarray(0, to),
    start: start.subarray(0, to),
    end: end.subarray(0, to),
    text: written.slice(0, to),
  };
  return [...reads.slice(0, -1), { text, tokens: textTokens(first) }];
}

function lensColumn({ logProb, topIds, topLogProb }: Step, { tokenizer }: Model, next: number | undefined): LensColumn {
  const ids = Int32Array.from(topIds, Number);
  return {
    ...(next !== undefined && { logProb }),
    predictions: ids.length / logProb.length,
    topIds: ids,
    topLogProb,
    topTokens: Array.from(ids, (id) => tokenizer.readable(id)),
  };
}

/** How an output that was left open is written. */
function greedy({ maxTokens = writtenTokens }: RouteRequest): Writing {
  return { maxTokens };
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
