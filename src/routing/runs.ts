import type { Attribution, GenerateRequest, Lens, RouteRequest, RunOptions } from '../requests/api.js';
import { GanderError } from '../errors/errors.js';
import type { Side, SideState } from '../protocol/panel.js';
import type { Strategy } from '../strategies/strategy.js';
import type { Intervention, Sequence, Trace } from '../trace/model/trace.js';
import type { Methods, OptionsOf, ResultOf } from '../requests/ask.js';
import type { RunRequestName } from '../requests/table.js';
import type { RoutingService } from './service.js';
import type { Routed, RoutingStore, SideResult } from './store.js';

/** What a side is compared with. */
export type OtherSide = Pick<SideResult, 'text' | 'title' | 'output' | 'strategy' | 'interventions'>;

/** Who waits for a run: told how far it is, as the store is, and may stop it. */
export type Waiting = Pick<RunOptions, 'signal' | 'onProgress'>;

/** How a range is run. */
export type Manner = Pick<SideResult, 'strategy' | 'output'>;

export type Generation = Pick<GenerateRequest, 'maxTokens' | 'temperature' | 'topP' | 'seed'>;

/**
 * Runs what a side of a routed range asks for and writes what comes of it into the store: progress, partial results, the
 * end or the error. One run a side at a time: a new one ends the former. Failures are in the store, and are thrown.
 */
export class Runs {
  readonly #running = new Map<string, AbortController>();
  readonly #listeners = new Set<(routed: Routed, trace: Trace) => void>();
  readonly #mainListeners = new Set<(routed: Routed) => void>();

  constructor(
    private readonly service: RoutingService,
    private readonly store: RoutingStore,
    /** Told in a line how each run ended. */
    private readonly log: (line: string) => void = () => {},
  ) {}

  /** Called with every finished route of a main side. Returns what ends the listening. */
  onDidRoute(listener: (routed: Routed, trace: Trace) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Called when a main side has another whole trace, routed or generated. Returns what ends the listening. */
  onDidFinish(listener: (routed: Routed) => void): () => void {
    this.#mainListeners.add(listener);
    return () => this.#mainListeners.delete(listener);
  }

  /** Routes a side anew under a strategy and interventions; with interventions also without them, to have a before. */
  async route(
    id: number,
    side: Side,
    strategy: Strategy,
    interventions: readonly Intervention[],
    waiting: Waiting = {},
  ): Promise<void> {
    const former = this.store.get(id)?.[side];
    if (!former) return;
    // The former trace stays on show until the first tokens of the new one are there.
    const { text, title, output, trace, before } = former;
    this.store.setSide(id, side, { text, title, output, strategy, interventions, trace, before });
    await this.#run(id, side, 'route', waiting, (options) => this.#route(id, side, options));
  }

  /** Routes a range whose side waits, `isOpening`, for what `choose` finds out. That can be stopped, too. */
  async open(id: number, choose: () => Promise<Manner>, waiting: Waiting = {}): Promise<void> {
    await this.#run(id, 'main', 'route', waiting, async (options) => {
      const manner = await unlessStopped(choose(), options);
      this.store.patchSide(id, 'main', { ...manner, isOpening: undefined });
      await this.#route(id, 'main', options);
    });
  }

  async #route(id: number, side: Side, options: RunOptions): Promise<void> {
    const asked = this.store.get(id)?.[side];
    if (!asked) return;
    const { text, output, strategy, interventions } = asked;
    const request = { text, ...output, strategy };
    const without = interventions.length > 0 ? await this.service.route(request, calm(options)) : undefined;
    const result = await this.service.route({ ...request, interventions }, options);
    this.store.patchSide(id, side, { trace: result, before: without, ...unasked });
    const routed = this.store.get(id);
    if (!routed || side !== 'main') return;
    this.#mainListeners.forEach((listener) => listener(routed));
    this.#listeners.forEach((listener) => listener(routed, result));
  }

  /** Knocks out every expert in turn; of one that is stopped the experts that are done are kept. */
  async attribute(id: number, waiting: Waiting = {}): Promise<Attribution | undefined> {
    const request = this.#request(id);
    if (!request) return undefined;
    let attribution: Attribution | undefined;
    await this.#run(id, 'main', 'attribute', waiting, async (options, patch) => {
      const parts: Attribution[] = [];
      try {
        const onPartial = (part: Attribution) => parts.push(part);
        attribution = await this.service.attribute(request, { ...calm(options), onPartial });
        patch({ attribution });
      } catch (error) {
        if (parts.length > 0) patch({ attribution: joined(parts) });
        throw error;
      }
    });
    return attribution;
  }

  /** What each layer would predict after a token of the text that is shown, written or given. */
  async lens(id: number, token: number, waiting: Waiting = {}): Promise<void> {
    const request = this.#request(id);
    const sequences = this.store.get(id)?.main.trace?.sequences ?? [];
    const shown = sequences.at(-1);
    if (!request || shown?.text === undefined) return;
    const { text, tokens } = shown;
    const read = sequences.length > 1 ? { target: text } : { text };
    await this.#run(id, 'main', 'lens', waiting, async (options, patch) => {
      const lens = await this.service.lens({ ...request, ...read, token }, calm(options));
      if (lens.ids.some((one, i) => one !== tokens.ids?.[i])) throw readOtherwise();
      if (!isOfRun(lens, shown)) throw anotherRun();
      const others = this.store.get(id)?.main.lenses?.filter((other) => other.token !== token) ?? [];
      patch({ lenses: [lens, ...others].slice(0, keptLenses) });
    });
  }

  /**
   * Whatever a model can be asked of the run on show. What comes of it is for who asked; the store only tells how far it is.
   * @param more what it asks beside the run
   */
  async ask<N extends RunRequestName>(
    id: number,
    name: N,
    more: Readonly<Record<string, unknown>>,
    waiting: Waiting = {},
  ): Promise<ResultOf<N> | undefined> {
    const request = this.#request(id);
    if (!request) return undefined;
    let result: ResultOf<N> | undefined;
    await this.#run(id, 'main', name, waiting, async (options) => {
      result = await this.service.ask(name, { ...more, ...request }, calm(options) as OptionsOf<N>);
    });
    return result;
  }

  /** Continues the prompt; what has been written when it is stopped is kept. */
  async generate(id: number, generation: Generation, waiting: Waiting = {}): Promise<void> {
    const request = this.#request(id);
    if (!request) return;
    await this.#run(id, 'main', 'generate', waiting, async (options, patch) => {
      const trace = await this.service.generate({ ...request, ...generation }, options);
      // Not every source ends when it is told to: another run may be on show by now.
      patch({ trace, before: undefined, ...unasked });
      const routed = this.store.get(id);
      if (routed) this.#mainListeners.forEach((listener) => listener(routed));
    });
  }

  /** What a finished run came to is the main side again; whatever runs there ends. */
  showAgain(id: number, finished: SideResult): void {
    this.#abandon(id, 'main');
    this.store.restore(id);
    this.store.setSide(id, 'main', finished);
    const other = this.store.get(id)?.other;
    if (other && isSameResult(finished, other)) this.closeCompare(id);
  }

  /** Puts what a finished run came to beside the main side. @throws GanderError `request-invalid` when it is the main side's own */
  compareFinished(id: number, finished: SideResult): void {
    const main = this.store.get(id)?.main;
    if (!main) return;
    if (isSameResult(main, finished)) throw withItself();
    this.#abandon(id, 'other');
    this.store.setSide(id, 'other', finished);
  }

  /** Puts another side beside the main one: the same text run otherwise, or another text. */
  compare(
    id: number,
    { text, title, output, strategy, interventions }: OtherSide,
    waiting: Waiting = {},
  ): Promise<void> {
    const main = this.store.get(id)?.main;
    if (main && isSameRun(main, { text, output, strategy, interventions })) {
      return Promise.reject(withItself());
    }
    // Nothing else of what is given: another run's trace would show under this one's name until its own tokens come.
    this.store.setSide(id, 'other', { text, title, output, strategy, interventions });
    return this.route(id, 'other', strategy, interventions, waiting);
  }

  /** Puts the main side's text beside it as another model runs it. */
  async compareElsewhere(
    id: number,
    asked: Pick<SideResult, 'title' | 'strategy'>,
    elsewhere: Pick<Methods, 'route'>,
    waiting: Waiting = {},
  ): Promise<void> {
    const main = this.store.get(id)?.main;
    if (!main) return;
    const { text, output } = main;
    this.store.setSide(id, 'other', { ...asked, text, output, interventions: [] });
    await this.#run(id, 'other', 'route', waiting, async (options) => {
      const trace = await elsewhere.route({ text, ...output, strategy: asked.strategy }, options);
      this.store.patchSide(id, 'other', { trace });
    });
  }

  closeCompare(id: number): void {
    this.#abort(id, 'other');
    this.store.setSide(id, 'other', undefined);
  }

  /** Ends whatever runs for the range. */
  stop(id: number): void {
    this.#abort(id, 'main');
    this.#abort(id, 'other');
  }

  dispose(): void {
    for (const abort of this.#running.values()) abort.abort();
    this.#listeners.clear();
    this.#mainListeners.clear();
  }

  #request(id: number): RouteRequest | undefined {
    const main = this.store.get(id)?.main;
    if (!main) return undefined;
    const { text, output, strategy, interventions } = main;
    return { text, ...output, strategy, interventions };
  }

  #abort(id: number, side: Side): void {
    this.#running.get(`${id} ${side}`)?.abort();
  }

  /** Ends a run whose result nobody waits for: nothing more of it comes into the store. */
  #abandon(id: number, side: Side): void {
    this.#abort(id, side);
    this.#running.delete(`${id} ${side}`);
  }

  async #run(
    id: number,
    side: Side,
    what: NonNullable<SideState['running']>['what'],
    { signal, onProgress }: Waiting,
    body: (options: RunOptions, patch: (change: Partial<SideResult>) => void) => Promise<void>,
  ): Promise<void> {
    const key = `${id} ${side}`;
    this.#running.get(key)?.abort();
    const abort = new AbortController();
    this.#running.set(key, abort);
    const current = () => this.#running.get(key) === abort;
    const patch = (change: Partial<SideResult>) => {
      if (current()) this.store.patchSide(id, side, change);
    };
    const end = () => abort.abort();
    signal?.addEventListener('abort', end, { once: true });
    if (signal?.aborted) end();
    patch({ running: { what, done: 0, total: 0 }, error: undefined });
    const start = performance.now();
    let progress = { done: 0, total: 0 };
    const ended = (how: string) => {
      const { done, total } = progress;
      const strategy = this.store.get(id)?.[side]?.strategy;
      const tokens = done < total ? `${done} of ${total}` : total || 'no';
      const seconds = ((performance.now() - start) / 1000).toFixed(2);
      this.log(`${what} ${how}: ${strategy ? nameOf(strategy) : 'no strategy'}, ${tokens} tokens, ${seconds} s`);
    };
    try {
      await body(
        {
          signal: abort.signal,
          onProgress: (done, total) => {
            progress = { done, total };
            patch({ running: { what, done, total } });
            onProgress?.(done, total);
          },
          onPartial: (trace) => patch({ trace, before: undefined, ...unasked }),
        },
        patch,
      );
      patch({ running: undefined });
      ended('done');
    } catch (thrown) {
      const error = GanderError.from(thrown);
      ended(error.code === 'cancelled' ? 'stopped' : `failed (${error.code})`);
      // That it was stopped is no failure: the person did it.
      patch({ running: undefined, error: error.code === 'cancelled' ? undefined : error.toData() });
      throw error;
    } finally {
      signal?.removeEventListener('abort', end);
      if (current()) this.#running.delete(key);
    }
  }
}

const nameOf = ({ name, k, expert }: Strategy): string =>
  [name, k !== undefined && `k ${k}`, expert].filter(Boolean).join(' ');

/** Ends the wait, not the work. */
function unlessStopped<T>(work: Promise<T>, { signal }: RunOptions): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new GanderError('cancelled', 'The run was cancelled.', 'Run it again when you want it.'));
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop, { once: true });
    void work.then(resolve, reject).finally(() => signal?.removeEventListener('abort', stop));
  });
}

/** Progress is shown, what comes in between is not: it is not what the side shows. */
function calm({ signal, onProgress }: RunOptions): RunOptions {
  return { ...(signal && { signal }), ...(onProgress && { onProgress }) };
}

/** Of one expert each, as one of all these. */
function joined(parts: readonly Attribution[]): Attribution {
  const { logProb, of } = parts[0]!;
  const n = parts.length;
  const change = new Float32Array(logProb.length * n);
  parts.forEach((part, e) => part.change.forEach((x, t) => (change[t * n + e] = x)));
  return { experts: parts.flatMap(({ experts }) => experts), logProb, change, ...(of !== undefined && { of }) };
}

/** What was asked of a run that is on show no more. */
const unasked = { attribution: undefined, lenses: undefined } as const;

/** Of tokens that one returns to. */
const keptLenses = 8;

/** What a model wrote need not be the tokens that its text would be read as. */
function readOtherwise(): GanderError {
  return new GanderError(
    'request-invalid',
    'The model wrote other tokens up to here than its tokenizer makes of their text.',
    'Choose a token of the text that was given.',
  );
}

/** Nats that the same run may differ by, one token at a time or many: rounding, and a head of eight bits. */
const rounding = 0.01;

/** What the last layer predicts is what the run predicts, as far as the trace tells that. */
function isOfRun({ token, layers, routed }: Lens, { logProb, topLogProb, predictions }: Sequence): boolean {
  const last = layers.length - 1;
  const isAlike = (a: number | undefined, b: number | undefined) =>
    a === undefined || b === undefined || Number.isNaN(b) || Math.abs(a - b) <= rounding;
  return (
    isAlike(routed.logProb?.[last], logProb?.[token + 1]) &&
    isAlike(routed.topLogProb[last * routed.predictions], topLogProb?.[token * predictions])
  );
}

/** After a run that was stopped, or where another model is in use by now, what is on show is not what would run. */
function anotherRun(): GanderError {
  return new GanderError(
    'request-invalid',
    'What is shown was routed otherwise than is chosen now: its layers cannot be asked.',
    'Route the text again.',
  );
}

type Asked = Pick<SideResult, 'text' | 'output' | 'strategy' | 'interventions'>;

function isSameRun(a: Asked, b: Asked): boolean {
  const asked = ({ text, output, strategy: { name, k, expert }, interventions }: Asked) =>
    JSON.stringify([text, output?.target, output?.maxTokens, name, k, expert, interventions]);
  return asked(a) === asked(b);
}

/** The same asked of the same model, with the same written: what comes back to one who routes again. */
export function isSameResult(a: SideResult, b: SideResult): boolean {
  const from = ({ trace }: SideResult) =>
    JSON.stringify([trace?.source.name, trace?.source.hash, trace?.sequences.at(-1)?.text]);
  return isSameRun(a, b) && from(a) === from(b);
}

function withItself(): GanderError {
  return new GanderError(
    'request-invalid',
    'A run cannot be compared with itself.',
    'Choose another strategy, expert, what-if or text to compare with.',
  );
}
