import { describe, expect, it } from 'vitest';
import { decimal, numberOf, signed } from '../../../src/trace/text/label.js';
import type { ExpertSet } from '../../../src/trace/model/trace.js';

const set = (scope: ExpertSet['scope'], names: readonly string[]): ExpertSet => ({
  scope,
  experts: names.map((name, e) => ({ id: `e${e}`, name })),
});

describe('the number of an expert', () => {
  it('comes from a name that is only a number', () => {
    const own = set('layer', ['0', 'Layer 12 expert 1', 'Expert 2']);
    expect([0, 1, 2, 3].map((e) => numberOf(own, e))).toEqual([0, 1, 2, undefined]);
  });

  it('is undefined for a real name, another index, or a pool', () => {
    const own = set('layer', ['verbs', 'expert 7', 'layer 2', 'experts in 3']);
    expect([0, 1, 2, 3].map((e) => numberOf(own, e))).toEqual(Array(4).fill(undefined));
    expect(numberOf(set('pool', ['0']), 0)).toBeUndefined();
  });
});

describe('a number with fixed digits', () => {
  it('has no sign if it rounds to 0', () => {
    expect([-0.004, -0.006, 0.004].map((x) => decimal(x))).toEqual(['0.00', '-0.01', '0.00']);
    expect([-0.0004, 0.01, NaN].map((x) => signed(x, 2))).toEqual(['0.00', '+0.01', '–']);
  });
});
