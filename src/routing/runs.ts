import type { Attribution, GenerateRequest, Lens, RouteRequest, RunOptions } from '../requests/api.js';
import { GanderError } from '../errors/errors.js';
import type { Side, SideState } from '../protocol/panel.js';
import type { Strategy } from '../strategies/strategy.js';
import type { Intervention, Sequence, Trace } from '../trace/model/trace.js';
import type { Methods, OptionsOf, ResultOf } from '../requests/ask.js';
import type { RunRequestName } from '../requests/table.js';
import { ChosenStrategies } from './chosen.js';
import type { RoutingService } from './service.js';
import { type Generated, type Routed, type RoutingStore, type SideResult, writtenIn } from './store.js';

/** What a side is compared with. */
export type OtherSide = Pick<SideResult, 'text' | 'title' | 'output' | 'strategy' | 'interventions'>;

/** For whoever waits for a run: hears of its progress, as the store does, and may stop it. */
export type Waiting = Pick<RunOptions, 'signal' | 'onProgress'>;

/** How a range is run. */
export type Manner = Pick<SideResult, 'strategy' | 'output'> &
  Partial<Pick<SideResult, 'interventions' | 'lacksExperts'>>;

export type Generation = Pick<GenerateRequest, 'maxTokens' | 'temperature' | 'topP' | 'seed'>;

/**
 * Runs what a side of a routed range asks for, and writes progress, partial results and the result or error into the store. A side
 * has one run at a time: a new one ends the old one. Errors are thrown as well as stored.
 */
export class Runs {
  readonly chosen = new ChosenStrategies();
  readonly #running = new Map<string, AbortController>();
  readonly #listeners = new Set<(routed: Routed, trace: Trace) => void>();
  readonly #finishListeners = new Set<(routed: Routed, finished: SideResult) => void>();

  constructor(
    private readonly service: RoutingService,
    private readonly store: RoutingStore,
    /** Gets a line on how each run ended. */
    private readonly log: (line: string) => void = () => {},
  ) {}

  /** Called with every finished route of a main side. Returns a function that stops listening. */
  onDidRoute(listener: (routed: Routed, trace: Trace) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Called when a side gets another complete trace, routed or generated. Returns a function that stops listening. */
  onDidFinish(listener: (routed: Routed, finished: SideResult) => void): () => void {
    this.#finishListeners.add(listener);
    return () => this.#finishListeners.delete(listener);
  }

  /**
   * Routes a side again under a strategy and interventions; if there are interventions, also without them, as `before`. What the
   * model wrote stays in the text, and where it was asked for the same, its run is shown again.
   */
  async route(
    id: number,
    side: Side,
    strategy: Strategy,
    interventions: readonly Intervention[],
    waiting: Waiting = {},
  ): Promise<void> {
    const { uri, [side]: former } = this.store.get(id) ?? {};
    if (uri === undefined || !former) return;
    const isChosen = JSON.stringify(strategy) !== JSON.stringify(former.strategy);
    if (side === 'main' && isChosen) this.chosen.choose(uri, strategy, former.model);
    // The old trace is shown until the first tokens of the new one are there.
    const { text, title, output, trace, before, model, generated } = former;
    this.store.setSide(id, side, { text, title, output, strategy, interventions, trace, before, model, generated });
    await this.#run(id, side, 'route', waiting, (options) => this.#route(id, side, options));
  }

  /** Routes a range whose side waits (`isOpening`) for `choose` to find out how. The wait can be stopped too. */
  async open(id: number, choose: () => Promise<Manner>, waiting: Waiting = {}): Promise<void> {
    await this.#run(id, 'main', 'route', waiting, (options) =>
      this.service.onOneSource(async () => {
        const manner = await unlessStopped(choose(), options);
        this.store.patchSide(id, 'main', { ...manner, isOpening: undefined });
        await this.#route(id, 'main', options);
      }, options),
    );
  }

  async #route(id: number, side: Side, options: RunOptions): Promise<void> {
    const asked = this.store.get(id)?.[side];
    if (!asked) return;
    const { generated } = asked;
    const isThere = generated && isSameRun(asked, { ...asked, ...generated }) && (await this.#isInUse(generated.model));
    const before = asked.interventions.length > 0 ? await this.#without(asked, calm(options)) : undefined;
    const trace = isThere ? generated.trace : await this.#routed(asked, options);
    const { name: model } = await this.service.describe();
    this.store.patchSide(id, side, { trace, before, model, ...unasked });
    this.#endWithItself(id);
    this.#finished(id, side);
    const routed = this.store.get(id);
    if (routed && side === 'main') this.#listeners.forEach((listener) => listener(routed, trace));
  }

  /** @param more what listeners are to know of it beside what the store does */
  #finished(id: number, side: Side, more: Pick<SideResult, 'model'> = {}): void {
    const routed = this.store.get(id);
    const result = routed?.[side];
    if (routed && result) this.#finishListeners.forEach((listener) => listener(routed, { ...result, ...more }));
  }

  /** A what-if that is taken back may leave the run that it is compared with. Another engine's run of the same says something. */
  #endWithItself(id: number): void {
    const { main, other } = this.store.get(id) ?? {};
    if (main && other && main.model === other.model && isSameResult(main, other)) this.closeCompare(id);
  }

  #routed(asked: SideResult, options: RunOptions): Promise<Trace> {
    const { strategy, interventions } = asked;
    return this.service.route({ ...withWritten(asked), strategy, interventions }, options);
  }

  /** The same without interventions. */
  #without(asked: SideResult, options: RunOptions): Promise<Trace> {
    return this.service.route({ ...withWritten(asked), strategy: asked.strategy }, options);
  }

  async #isInUse(model: string | undefined): Promise<boolean> {
    return (await this.service.describe()).name === model;
  }

  /** Knocks out every expert in turn, over what was given and what the model wrote. If this is stopped, the experts that are done are kept. */
  async attribute(id: number, waiting: Waiting = {}): Promise<Attribution | undefined> {
    const [own, main] = [this.#request(id), this.store.get(id)?.main];
    if (!own || !main) return undefined;
    const request = { ...own, ...withWritten(main) };
    const shown = main.generated && main.trace?.sequences.at(-1);
    let attribution: Attribution | undefined;
    await this.#run(id, 'main', 'attribute', waiting, async (options, patch) => {
      const parts: Attribution[] = [];
      // The first part tells already, many runs before the last.
      const misread = new AbortController();
      const check = (found: Attribution) => {
        if (shown && !isOfTokensOf(found, shown)) misread.abort();
        return !misread.signal.aborted;
      };
      try {
        const onPartial = (part: Attribution) => check(part) && parts.push(part);
        const signal = AbortSignal.any([options.signal!, misread.signal]);
        const found = await this.service.attribute(request, { ...calm(options), signal, onPartial });
        if (!check(found)) throw tokenisedOtherwise();
        attribution = found;
        patch({ attribution });
      } catch (error) {
        if (misread.signal.aborted) throw tokenisedOtherwise();
        if (parts.length > 0) patch({ attribution: joined(parts) });
        throw error;
      }
    });
    return attribution;
  }

  /** What each layer would predict after a token of the shown text, given or written by the model. */
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
   * Asks the model anything about the run on show. The caller gets the answer, the store only the progress.
   * @param more the fields of the request besides the run's own
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

  /**
   * Continues the prompt; what has been written when it is stopped is kept. If there are interventions, what was written is then
   * routed without them, as `before`.
   */
  async generate(id: number, generation: Generation, waiting: Waiting = {}): Promise<void> {
    const [request, main] = [this.#request(id), this.store.get(id)?.main];
    if (!request || !main) return;
    const { strategy, interventions } = main;
    const written = (
      trace: Trace,
      model: string | undefined,
      end: Pick<Generated, 'asked' | 'isFull'> = {},
    ): Partial<SideResult> => {
      const generated: Generated = { trace, strategy, interventions, model, ...end };
      return { trace, before: undefined, model, generated, ...unasked };
    };
    await this.#run(id, 'main', 'generate', waiting, async (options, patch) => {
      const onPartial = (part: Trace) => patch(written(part, main.model));
      const trace = await this.service.generate({ ...request, ...generation }, { ...options, onPartial });
      const { name, limits } = await this.service.describe();
      const isFull = trace.sequences.at(-1)!.tokens.count >= (limits.tokens ?? Infinity);
      const result = written(trace, name, { asked: generation.maxTokens, ...(isFull && { isFull }) });
      // Not every source stops when told to, so another run may be on show by now.
      patch(result);
      this.#finished(id, 'main');
      if (interventions.length === 0) return;
      const onProgress = (done: number, total: number) => patch({ running: { what: 'route', done, total } });
      onProgress(0, 0);
      try {
        patch({ before: await this.#without({ ...main, ...result }, { signal: options.signal!, onProgress }) });
      } catch (thrown) {
        const error = GanderError.from(thrown);
        if (error.code === 'cancelled') throw error;
        // The text is written all the same; whoever wants to know what the interventions did asks again, and is told why not.
        this.log(`generate: not routed without interventions (${error.code})`);
        return;
      }
      this.#finished(id, 'main');
    });
  }

  /** Shows a finished run as the main side again, and ends whatever runs there. */
  showAgain(id: number, finished: SideResult): void {
    this.#abandon(id, 'main');
    this.store.restore(id);
    this.store.setSide(id, 'main', finished);
    const other = this.store.get(id)?.other;
    if (other && isSameResult(finished, other)) this.closeCompare(id);
  }

  /** Shows a finished run beside the main side. @throws GanderError `request-invalid` if it is the main side's own */
  compareFinished(id: number, finished: SideResult): void {
    const main = this.store.get(id)?.main;
    if (!main) return;
    if (isSameResult(main, finished)) throw withItself();
    this.#abandon(id, 'other');
    this.store.setSide(id, 'other', finished);
  }

  /**
   * Runs another side beside the main one: the same text in another way, with what the model wrote, or another text.
   * @throws GanderError `request-invalid` if that is the main side itself, or if another model than the one in use ran it
   */
  async compare(
    id: number,
    { text, title, output, strategy, interventions }: OtherSide,
    waiting: Waiting = {},
  ): Promise<void> {
    const main = this.store.get(id)?.main;
    if (main?.model !== undefined) {
      // A model that cannot be described cannot run either, which the other side then says.
      const chosen = await this.service.describe().catch(() => undefined);
      if (chosen && chosen.name !== main.model) throw anotherModel(main.model, chosen.name);
    }
    if (main && isSameRun(main, { text, output, strategy, interventions })) throw withItself();
    // Only these fields: otherwise another run's trace would be shown under this title until the first tokens are there.
    const isSame = main?.text === text && main.output?.target === output?.target;
    const generated = isSame ? main.generated : undefined;
    this.store.setSide(id, 'other', { text, title, output, strategy, interventions, generated });
    await this.route(id, 'other', strategy, interventions, waiting);
  }

  /**
   * Runs the main side's text on another model, beside it.
   * @param asked `model`: its name; undefined for the one in use with something else in it, which is nothing to come back to
   */
  async compareElsewhere(
    id: number,
    { model, ...asked }: Pick<SideResult, 'title' | 'strategy' | 'model'>,
    elsewhere: Pick<Methods, 'route'>,
    waiting: Waiting = {},
  ): Promise<void> {
    const main = this.store.get(id)?.main;
    if (!main) return;
    const { text, output } = main;
    this.store.setSide(id, 'other', { ...asked, text, output, interventions: [] });
    await this.#run(id, 'other', 'route', waiting, async (options) => {
      const trace = await elsewhere.route({ ...withWritten(main), strategy: asked.strategy }, options);
      this.store.patchSide(id, 'other', { trace });
      // The side has no model, because the one in use could not run it again.
      if (model !== undefined) this.#finished(id, 'other', { model });
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
    this.#finishListeners.clear();
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

  /** Ends a run whose result nobody waits for: nothing more of it reaches the store. */
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
      // A run that the person stopped has not failed.
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

/** Passes on progress, but no partial results, because they are not what the side shows. */
function calm({ signal, onProgress }: RunOptions): RunOptions {
  return { ...(signal && { signal }), ...(onProgress && { onProgress }) };
}

/** Joins attributions of one expert each into one of all these experts. */
function joined(parts: readonly Attribution[]): Attribution {
  const { logProb, of } = parts[0]!;
  const n = parts.length;
  const change = new Float32Array(logProb.length * n);
  parts.forEach((part, e) => part.change.forEach((x, t) => (change[t * n + e] = x)));
  return { experts: parts.flatMap(({ experts }) => experts), logProb, change, ...(of !== undefined && { of }) };
}

/** Clears the answers about a run that is no longer shown. */
const unasked = { attribution: undefined, lenses: undefined } as const;

/** How many tokens keep their lens, because people come back to them. */
const keptLenses = 8;

/** A tokenizer may split the written text into other tokens than the model wrote. */
function readOtherwise(): GanderError {
  return new GanderError(
    'request-invalid',
    'Up to here, the model wrote other tokens than its tokenizer makes of the same text.',
    'Choose a token of the given text.',
  );
}

/** Nats by which the same run may differ between one token at a time and many at once: rounding, and a head in 8 bits. */
const rounding = 0.01;

/** Whether the last layer predicts what the run predicted, as far as the trace has that. */
function isOfRun({ token, layers, routed }: Lens, { logProb, topLogProb, predictions }: Sequence): boolean {
  const last = layers.length - 1;
  const isAlike = (a: number | undefined, b: number | undefined) =>
    a === undefined || b === undefined || Number.isNaN(b) || Math.abs(a - b) <= rounding;
  return (
    isAlike(routed.logProb?.[last], logProb?.[token + 1]) &&
    isAlike(routed.topLogProb[last * routed.predictions], topLogProb?.[token * predictions])
  );
}

/**
 * Whether an attribution is of the tokens on show: as many, and, where it is known, about as likely. Over all tokens rounding goes
 * further than at one.
 */
function isOfTokensOf({ logProb }: Attribution, { tokens, logProb: shown }: Sequence): boolean {
  return (
    logProb.length === tokens.count &&
    logProb.every((x, t) => {
      const difference = Math.abs(x - (shown?.[t] ?? NaN));
      return Number.isNaN(difference) || difference <= 10 * rounding;
    })
  );
}

function tokenisedOtherwise(): GanderError {
  return new GanderError(
    'request-invalid',
    'The model wrote other tokens than its tokenizer makes of the same text, so no attribution can be shown at them.',
    'Insert the generated text into the document and route it there.',
  );
}

/** After a stopped run, or if another model is in use by now, a run now would not give what is shown. */
function anotherRun(): GanderError {
  return new GanderError(
    'request-invalid',
    'What is shown was routed in another way than a run now would be, so its layers cannot be read.',
    'Route the text again.',
  );
}

/** What is routed: what was given and what the model wrote then; an output that was left open is written again. */
function withWritten({ text, output, generated }: SideResult): Pick<RouteRequest, 'text' | 'target' | 'maxTokens'> {
  const written = generated ? writtenIn({ text, output, trace: generated.trace }) : '';
  if (!output) return { text: text + written };
  return output.target === undefined ? { text, ...output } : { text, ...output, target: output.target + written };
}

type Asked = Pick<SideResult, 'text' | 'output' | 'strategy' | 'interventions'>;

function isSameRun(a: Asked, b: Asked): boolean {
  const asked = ({ text, output, strategy: { name, k, expert }, interventions }: Asked) =>
    JSON.stringify([text, output?.target, output?.maxTokens, name, k, expert, interventions]);
  return asked(a) === asked(b);
}

/** Whether both asked the same of the same model, which wrote the same: what routing again would give. */
export function isSameResult(a: SideResult, b: SideResult): boolean {
  const from = ({ trace }: SideResult) =>
    JSON.stringify([trace?.source.name, trace?.source.hash, trace?.sequences.at(-1)?.text]);
  return isSameRun(a, b) && from(a) === from(b);
}

function anotherModel(ran: string, chosen: string): GanderError {
  return new GanderError(
    'request-invalid',
    `This is a run of ${ran}; ${chosen} has been chosen since.`,
    `Route again with ${chosen}, then compare.`,
  );
}

function withItself(): GanderError {
  return new GanderError(
    'request-invalid',
    'A run cannot be compared with itself.',
    'Choose another strategy, expert, what-if or text to compare with.',
  );
}
