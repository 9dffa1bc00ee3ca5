/** Continues a text, token by token. */
import type { GenerateRequest, RouteRequest, RunOptions } from '../requests/api.js';
import { writtenTokens } from '../checks/limits.js';
import { random } from '../statistics/random.js';
import type { Trace } from '../trace/model/trace.js';
import { type Check, type Prepared, prefill, recorderOf, type TextRead, tokensOf } from './prepared.js';
import type { Step } from './runtime/causal.js';
import { Continuation } from './runtime/continuation.js';
import { sampleToken } from './runtime/sample.js';
import { joinedTokens } from './runtime/tokenizer.js';

export type Writing = Pick<GenerateRequest, 'maxTokens' | 'temperature' | 'topP' | 'seed'>;

/** Least time between two partial traces while generating. Milliseconds. */
const partialEvery = 150;

/** How an output that was left open is generated. */
export function greedy({ maxTokens = writtenTokens }: RouteRequest): Writing {
  return { maxTokens };
}

/** What a run needs from its engine. */
export interface Steps {
  /** How many tokens are run at once. */
  readonly chunk: number;
  readonly check: Check;
}

export async function write(
  prepared: Prepared,
  { maxTokens, temperature = 0, topP = 1, seed = 0 }: Writing,
  { chunk, check, onProgress, onPartial }: Steps & Omit<RunOptions, 'signal'>,
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
  let last: Step = await prefill(prepared, chunk, check, (step, count, sequence) => {
    recorder.add(step, count, sequence);
    passed += count;
    onProgress?.(passed, total);
  });
  while (recorder.done() < capacity) {
    const id = sampleToken(last.last, temperature, topP, next);
    if (model.endTokens.has(id)) break;
    await check();
    await written.add(id);
    const done = recorder.done();
    // The log-probability of a sampled token is known only now: the run before had no target.
    recorder.setLogProb(done, logProbOf(last, id));
    last = await run.run({ ids: Int32Array.of(id), targets: Int32Array.of(0), done, past: last.past });
    recorder.add(last, 1);
    onProgress?.(++passed, total);
    await partly.run(() => onPartial?.(recorder.trace(reads())));
  }
  const all = reads();
  return { trace: recorder.trace(all), reads: all };
}

/** For work that takes longer the more is known: after each time it pauses for at least ten times as long as that took. */
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
