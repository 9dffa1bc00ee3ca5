import { expect, it } from 'vitest';
import { attributionOf } from '../../../src/trace/figures/attributed.js';

const experts = ['a', 'b'].map((id) => ({ id, name: id }));

it('names the expert that each token owes most to, and adds up the effects', () => {
  const change = Float32Array.of(NaN, NaN, -0.5, -0.25, 0.5, -0.75, -0.001, 0.25, 0.5, 0.5);
  const { expert, nats, totals } = attributionOf({ experts, change });
  // The first token is given, not predicted; the fourth has too small an effect; the last is likelier without either expert.
  expect([...expert]).toEqual([-1, 0, 1, -1, -1]);
  expect([...nats]).toEqual([0, 0.5, 0.75, 0, 0]);
  expect(totals[0]).toBeCloseTo(0.499, 5);
  expect(totals[1]).toBeCloseTo(-0.25, 5);
});

it('is empty without experts', () => {
  const { expert, totals } = attributionOf({ experts: [], change: new Float32Array() });
  expect([expert.length, totals.length]).toEqual([0, 0]);
});
