/** One request, ready to run: what is read, and by which model. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { GanderError } from '../errors/errors.js';
import type { RouteRequest } from '../requests/api.js';
import type { LensRun, Model, Run } from './families/family.js';
import type { Step } from './runtime/causal.js';
import type { Past } from './runtime/past.js';
import { Recorder, type Read } from './runtime/recorder.js';
import { joinedTokens, textTokens, type TextTokens } from './runtime/tokenizer.js';

export interface TextRead extends Read {
  readonly tokens: TextTokens;
}

export interface Prepared {
  readonly model: Model;
  readonly run: Run;
  /** All sequences; the last is the one that grows when text is generated. */
  readonly reads: readonly TextRead[];
  /** Whether no output was given, so that the model has to generate it. */
  readonly isOpen: boolean;
}

/** How far the last sequence has run. */
export interface Reached {
  readonly done: number;
  /** Keys and values of what was read so far. */
  readonly past: Past;
}

/** Called between chunks, to see whether to stop. @throws GanderError `cancelled`, `engine-unavailable` */
export type Check = () => Promise<void>;

/** @throws GanderError `text-empty`, `text-too-long`, `request-invalid` */
export async function readsOf(
  model: Model,
  { text, target }: RouteRequest,
): Promise<Pick<Prepared, 'reads' | 'isOpen'>> {
  if (text.length === 0) throw new GanderError('text-empty', 'There is no text to route.', 'Select some text.');
  const { startToken } = model;
  if (startToken === undefined && target !== undefined)
    throw new GanderError(
      'request-invalid',
      'This model continues its text; it has no separate output, so it takes no target.',
      'Ask without a target, or choose an encoder-decoder.',
    );
  const tokens = await encoded(model, text, 'text');
  if (tokens.ids.length === 0) throw new GanderError('text-empty', 'The text has no tokens.', 'Select some text.');
  if (startToken === undefined) return { reads: [{ text, tokens }], isOpen: false };
  const output = await outputOf(model, startToken, target ?? '');
  return { reads: [{ text, tokens }, output], isOpen: target === undefined };
}

/** What the decoder reads: the start token, then the target without its end token. */
async function outputOf(model: Model, start: number, target: string): Promise<TextRead> {
  const none = Int32Array.of(-1);
  const begin = { ids: Int32Array.of(start), start: none, end: none, text: [model.tokenizer.readable(start)] };
  if (target === '') return { text: '', tokens: textTokens(begin) };
  const { ids, start: from, end, text } = await encoded(model, target, 'target');
  const count = model.endTokens.has(ids.at(-1) ?? -1) ? ids.length - 1 : ids.length;
  const kept = {
    ids: ids.subarray(0, count),
    start: from.subarray(0, count),
    end: end.subarray(0, count),
    text: text.slice(0, count),
  };
  return { text: target, tokens: joinedTokens(textTokens(begin), textTokens(kept), 0) };
}

async function encoded({ tokenizer, contextLength }: Model, text: string, what: string): Promise<TextTokens> {
  // Tokenizing megabytes takes seconds; unless a text is far too long, searching the whole vocabulary is not worth it.
  if (text.length > 16 * contextLength && text.length > tokenizer.longestToken * contextLength)
    throw tooLong(what, `${text.length} characters`, contextLength);
  const tokens = await tokenizer.encode(text);
  if (tokens.ids.length > contextLength) throw tooLong(what, `${tokens.ids.length} tokens`, contextLength);
  return tokens;
}

function tooLong(what: string, length: string, contextLength: number): GanderError {
  return new GanderError(
    'text-too-long',
    `The ${what} has ${length}; this model takes at most ${contextLength} tokens.`,
    'Select less text.',
  );
}

/** Number of tokens in all sequences. */
export function tokensOf({ reads }: Pick<Prepared, 'reads'>): number {
  return reads.reduce((sum, { tokens }) => sum + tokens.count, 0);
}

/** @param capacity the most tokens that the last sequence may have */
export function recorderOf({ model, run, reads }: Prepared, capacity: number): Recorder {
  const capacities = reads.map(({ tokens }) => tokens.count).with(-1, capacity);
  return new Recorder(run.recording, capacities, (id) => model.tokenizer.readable(id));
}

/**
 * Runs all that is read: an encoder-decoder's whole input, then the last sequence in chunks over the keys and values of the
 * chunks before.
 *
 * @param from where an earlier run over the same was stopped
 */
export async function prefill(
  { run, reads }: Pick<Prepared, 'reads'> & { readonly run: LensRun },
  chunk: number,
  check: Check,
  each: (step: Step, count: number, sequence: number) => unknown,
  from?: Reached,
): Promise<Step> {
  const last = reads.length - 1;
  const { ids } = reads[last]!.tokens;
  const size = Math.max(1, chunk);
  let step: Step | undefined;
  if (run.encode && !from) {
    const input = reads[0]!.tokens.ids;
    await check();
    step = await run.encode(input);
    await each(step, input.length, 0);
  }
  for (let done = from?.done ?? 0; done < ids.length; done += size) {
    await check();
    const part = ids.subarray(done, done + size);
    const targets = new Int32Array(part.length);
    targets.set(ids.subarray(done + 1, done + 1 + part.length));
    step = await run.run({ ids: part, targets, done, past: step?.past ?? from?.past });
    await each(step, part.length, last);
  }
  return step!;
}

/** [T] natural log-probabilities of the last sequence's tokens; NaN for the first. @param progress counts tokens of any sequence */
export async function logProbsOf(
  prepared: Prepared,
  chunk: number,
  check: Check,
  progress: (count: number) => void,
): Promise<Float32Array> {
  const last = prepared.reads.length - 1;
  const logProb = new Float32Array(prepared.reads[last]!.tokens.count).fill(NaN);
  let done = 0;
  await prefill(prepared, chunk, check, (step, count, sequence) => {
    progress(count);
    if (sequence !== last) return;
    for (let i = 0; i < count && done + i + 1 < logProb.length; i++) logProb[done + i + 1] = step.logProb[i]!;
    done += count;
  });
  return logProb;
}

/** First lets messages in, as one may cancel: a run blocks the thread. */
export async function checkCancelled(signal: AbortSignal | undefined, disposed: boolean): Promise<void> {
  if (signal) await nextTurn();
  if (signal?.aborted) throw new GanderError('cancelled', 'Cancelled.', 'Ask again when you like.');
  if (disposed) throw new GanderError('engine-unavailable', 'The engine was closed.', 'Ask again.');
}
