/** The parts of the test of specialisation: each fails alone, and none is forgotten. */
import { expect, it } from 'vitest';
import { asked, failuresOf } from '../../../src/atlas/specialised.js';

it.each([
  ['passes', { lift: 1.2, q: 0.01, halves: [1.1, 1.3] }, []],
  ['passes where it is avoided', { lift: -1.2, q: 0.01, halves: [-1.1, -Infinity] }, []],
  ['passes at the bounds', { lift: asked.lift, q: asked.q, halves: [1, 1] }, []],
  ['is too small', { lift: 0.4, q: 0.0005, halves: [0.3, 0.5] }, ['small']],
  ['may be chance', { lift: 1.4, q: 0.3, halves: [1, 2] }, ['chance']],
  ['is in one half only', { lift: 1.4, q: 0.01, halves: [2.5, -0.1] }, ['halves']],
  ['has no documents in a half', { lift: 1.4, q: 0.01, halves: [2.5, NaN] }, ['halves']],
  ['lacks everything', { lift: 0.1, q: 0.9, halves: [0.4, -0.1] }, ['small', 'chance', 'halves']],
  ['is not known', { lift: NaN, q: NaN, halves: [NaN, NaN] }, ['small', 'chance', 'halves']],
] as const)('%s', (_, tested, lacks) => {
  expect(failuresOf(tested)).toEqual(lacks);
});
