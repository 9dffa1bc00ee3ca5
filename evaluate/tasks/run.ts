/** The loop that answers every example with every strategy, and stores each answer immediately. */
import type { Engine } from '../../src/requests/ask.js';
import { GanderError } from '../../src/errors/errors.js';
import type { Results } from '../results.js';
import { byTurns } from '../run.js';
import { type Chosen, strategyOfKey } from '../strategies.js';
import { type Asking, isRight } from './answer.js';
import type { Example } from './examples.js';

/**
 * Main strategies before single experts, and the tasks take turns, so the results can be compared wherever the run stops.
 * @returns whether it was cancelled
 * @throws GanderError the engine's: if an example were skipped with one strategy, the table's rows could not be compared
 */
export async function answer(
  engine: Engine,
  examples: readonly Example[],
  { main, singles }: Chosen,
  results: Results,
  asking: Omit<Asking, 'strategy'>,
  onAnswer: (example: Example, strategy: string, done: number, of: number) => void = () => {},
): Promise<boolean> {
  const inTurn = byTurns(examples);
  const open = [main, singles]
    .flatMap((keys) => inTurn.flatMap((example) => keys.map((key) => ({ example, key }))))
    .filter(({ example, key }) => !results.score(example.hash, key));
  for (const [i, { example, key }] of open.entries()) {
    if (asking.signal.aborted) return true;
    onAnswer(example, key, i, open.length);
    try {
      const right = await isRight(engine, example, { ...asking, strategy: strategyOfKey(key) });
      results.addScore(example.hash, key, { bits: right ? 0 : 1, bytes: 1, tokens: 1 });
    } catch (thrown) {
      const error = GanderError.from(thrown);
      if (error.code === 'cancelled') return true;
      throw error;
    }
  }
  return false;
}
