import { expect, it } from 'vitest';
import { owedOf } from '../../../src/trace/figures/attributed.js';

const experts = ['a', 'b'].map((id) => ({ id, name: id }));

it('names the expert without which a token would be the least likely, and sums up what all owe', () => {
  const change = Float32Array.of(NaN, NaN, -0.5, -0.25, 0.5, -0.75, -0.001, 0.25, 0.5, 0.5);
  const { expert, nats, totals } = owedOf({ experts, change });
  // The first is given, the fourth owes too little to speak of, the last is better off without either.
  expect([...expert]).toEqual([-1, 0, 1, -1, -1]);
  expect([...nats]).toEqual([0, 0.5, 0.75, 0, 0]);
  expect(totals[0]).toBeCloseTo(0.499, 5);
  expect(totals[1]).toBeCloseTo(-0.25, 5);
});

it('says nothing of no experts', () => {
  const { expert, totals } = owedOf({ experts: [], change: new Float32Array() });
  expect([expert.length, totals.length]).toEqual([0, 0]);
});
