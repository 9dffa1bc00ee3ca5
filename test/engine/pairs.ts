/** Compares the trace of an encoder-decoder with another. */
import { expect } from 'vitest';
import { rowsAt } from '../../src/trace/model/access.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { largestDifference } from './support.js';

export const bound = 2e-5;

/** The inputs of the tiny T5's goldens. */
export const text = 'question: the farmer counts sheep near the old mill every morning. why?';
export const target = 'because the gate was open and the cold wind moves it.';

/** The same scores, weights and choices at each module; arrow's scores are closer than float32 can distinguish. */
export function expectAlike(got: Trace, wanted: Trace): void {
  const near = wanted.router.name === 'arrow' ? 1e-6 : 0;
  expect(got.modules).toEqual(wanted.modules);
  got.modules.forEach(({ path: module }, s) => {
    const [mine, theirs] = [rowsAt(got, s), rowsAt(wanted, s)];
    expect(largestDifference(mine.score!, theirs.score!), module).toBeLessThan(bound);
    expect(largestDifference(mine.weight!, theirs.weight!), module).toBeLessThan(bound);
    expect(largestDifference(mine.contribution!, theirs.contribution!), module).toBeLessThan(1e-4);
    mine.chosen.forEach((e, at) => {
      const line = Math.floor(at / mine.k) * mine.experts;
      const other = theirs.chosen[at]!;
      if (e === other) return;
      expect(Math.abs(theirs.score![line + e]! - theirs.score![line + other]!), module).toBeLessThan(near);
    });
  });
  got.sequences.forEach(({ tokens, logProb, done }, i) => {
    const other = wanted.sequences[i]!;
    expect([...tokens.ids!]).toEqual([...other.tokens.ids!]);
    expect(done).toBe(tokens.count);
    if (other.logProb) expect(largestDifference(logProb!, other.logProb)).toBeLessThan(1e-4);
  });
}
