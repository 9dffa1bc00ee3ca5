/** One request, ready to run: what is read, and by what. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { GanderError } from '../errors/errors.js';
import type { RouteRequest } from '../requests/api.js';
import type { LensRun, Model, Run } from './families/family.js';
import type { Step } from './runtime/causal.js';
import { Recorder, type Read } from './runtime/recorder.js';
import { joinedTokens, textTokens, type TextTokens } from './runtime/tokenizer.js';

export interface TextRead extends Read {
  readonly tokens: TextTokens;
}

export interface Prepared {
  readonly model: Model;
  readonly run: Run;
  /** Each sequence; the last is the one that goes on when something is written. */
  readonly reads: readonly TextRead[];
  /** Nothing was said of the output: the model has to write it. */
  readonly isOpen: boolean;
}

/** Whether to stop, looked at between chunks. @throws GanderError `cancelled`, `engine-unavailable` */
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
      'This model goes on with its text; it has no output beside it, and takes no target.',
      'Ask without a target, or choose an encoder-decoder.',
    );
  const tokens = await encoded(model, text, 'text');
  if (tokens.ids.length === 0) throw new GanderError('text-empty', 'The text holds no token.', 'Select some text.');
  if (startToken === undefined) return { reads: [{ text, tokens }], isOpen: false };
  const output = await outputOf(model, startToken, target ?? '');
  return { reads: [{ text, tokens }, output], isOpen: target === undefined };
}

/** What the decoder reads: the token that begins, and the target without the one that ends. */
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
  // Megabytes take seconds to tokenize; what is not far too long is not worth a look at the whole vocabulary.
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

/** Tokens of all sequences. */
export function tokensOf({ reads }: Pick<Prepared, 'reads'>): number {
  return reads.reduce((sum, { tokens }) => sum + tokens.count, 0);
}

/** @param capacity of the last sequence, tokens at most */
export function recorderOf({ model, run, reads }: Prepared, capacity: number): Recorder {
  const capacities = reads.map(({ tokens }) => tokens.count).with(-1, capacity);
  return new Recorder(run.recording, capacities, (id) => model.tokenizer.readable(id));
}

/**
 * Runs all that is to be read: the input of an encoder-decoder whole, then the last sequence in chunks over the keys and
 * values of those before.
 */
export async function prefill(
  { run, reads }: Pick<Prepared, 'reads'> & { readonly run: LensRun },
  chunk: number,
  check: Check,
  each: (step: Step, count: number, sequence: number) => unknown,
): Promise<Step> {
  const last = reads.length - 1;
  const { ids } = reads[last]!.tokens;
  const size = Math.max(1, chunk);
  let step: Step | undefined;
  if (run.encode) {
    const input = reads[0]!.tokens.ids;
    await check();
    step = await run.encode(input);
    await each(step, input.length, 0);
  }
  for (let done = 0; done < ids.length; done += size) {
    await check();
    const part = ids.subarray(done, done + size);
    const targets = new Int32Array(part.length);
    targets.set(ids.subarray(done + 1, done + 1 + part.length));
    step = await run.run({ ids: part, targets, done, past: step?.past });
    await each(step, part.length, last);
  }
  return step!;
}

/** [T] natural log-probabilities of the last sequence's tokens; NaN for the first. @param progress told tokens of any sequence */
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

/** Lets messages in first (a cancel among them): a run blocks the thread. */
export async function checkCancelled(signal: AbortSignal | undefined, disposed: boolean): Promise<void> {
  if (signal) await nextTurn();
  if (signal?.aborted) throw new GanderError('cancelled', 'Cancelled.', 'Ask again when you like.');
  if (disposed) throw new GanderError('engine-unavailable', 'The engine was closed.', 'Ask again.');
}
