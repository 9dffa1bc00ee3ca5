/** A model's answers, evaluated as in the paper (arXiv 2402.05859, section 4). */
import type { Engine } from '../../src/requests/ask.js';
import type { Strategy } from '../../src/strategies/strategy.js';
import type { Example } from './examples.js';

export interface Asking {
  readonly strategy: Strategy;
  /** An encoder-decoder's answer is its output; a causal model continues the input. */
  readonly hasTarget: boolean;
  /** Most tokens of an answer in free text. */
  readonly maxTokens: number;
  readonly signal: AbortSignal;
}

/** Whether the answer is right: by rank classification if there are choices, otherwise by exact match. */
export async function isRight(engine: Engine, example: Example, asking: Asking): Promise<boolean> {
  const { choices, target } = example;
  return choices
    ? (await likeliest(engine, example.input, choices, asking)) === target
    : isMatch(await written(engine, example.input, asking), target);
}

/**
 * Rank classification (Brown et al. 2020; T0, Sanh et al. 2022, section 5.2): the choice with the largest log-probability,
 * summed over its tokens and not divided by their number. A causal model reads input and choice as one text; the input's
 * own log-probability is the same for all.
 */
async function likeliest(
  engine: Engine,
  input: string,
  choices: readonly string[],
  { strategy, hasTarget, signal }: Asking,
): Promise<string> {
  let best = '';
  let least = Infinity;
  for (const choice of choices) {
    const request = hasTarget ? { text: input, target: choice } : { text: input + choice };
    const { bits } = await engine.score({ ...request, strategy }, { signal });
    if (bits < least) [best, least] = [choice, bits];
  }
  return best;
}

async function written(
  engine: Engine,
  input: string,
  { strategy, hasTarget, maxTokens, signal }: Asking,
): Promise<string> {
  const { sequences } = await engine.generate({ text: input, strategy, maxTokens }, { signal });
  return hasTarget ? (sequences[1]!.text ?? '') : (sequences[0]!.text ?? '').slice(input.length);
}

/** Exact match apart from white space. */
export function isMatch(answer: string, target: string): boolean {
  const bare = (text: string) => text.trim().replace(/\s+/g, ' ');
  return bare(answer) === bare(target);
}
