/** What a model answers, as the paper has it answer (arXiv 2402.05859, section 4). */
import type { Engine } from '../../src/requests/ask.js';
import type { Strategy } from '../../src/strategies/strategy.js';
import type { Example } from './examples.js';

export interface Asking {
  readonly strategy: Strategy;
  /** An encoder-decoder has the answer as its output; a causal model goes on with it. */
  readonly hasTarget: boolean;
  /** Of an answer that is written freely. */
  readonly maxTokens: number;
  readonly signal: AbortSignal;
}

/** Whether the answer is right: by rank classification among choices, else by exact match. */
export async function isRight(engine: Engine, example: Example, asking: Asking): Promise<boolean> {
  const { choices, target } = example;
  return choices
    ? (await likeliest(engine, example.input, choices, asking)) === target
    : isMatch(await written(engine, example.input, asking), target);
}

/**
 * Rank classification (Brown et al. 2020; T0, Sanh et al. 2022, section 5.2): the choice with the largest log-probability,
 * the sum over its tokens, which is not divided by their number. A causal model reads input and choice as one text; what it
 * says of the input is the same for all.
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

/** White space apart, letter by letter. */
export function isMatch(answer: string, target: string): boolean {
  const bare = (text: string) => text.trim().replace(/\s+/g, ' ');
  return bare(answer) === bare(target);
}
