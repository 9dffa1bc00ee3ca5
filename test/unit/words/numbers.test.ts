import { expect, it } from 'vitest';
import { Numbers } from '../../../src/words/numbers.js';

const [english, german] = [new Numbers('en'), new Numbers('de')];

it.each([
  [0, '0%'],
  [0.00001, '<0.01%'],
  [0.00342, '0.34%'],
  [0.07, '7.0%'],
  [0.0996, '10%'],
  [0.234, '23%'],
  [0.994, '99.4%'],
  [0.9994, '99.9%'],
  [0.9996, '>99.9%'],
  [0.99999, '>99.9%'],
  [0.9999999, '100%'],
  [1, '100%'],
  [-0.9996, '<−99.9%'],
  [-0.032, '−3.2%'],
  [NaN, '–'],
])('writes the share %f', (share, text) => {
  expect(english.percent(share)).toBe(text);
});

it.each([
  [0.5, 2, '0.50'],
  [-1.25, 1, '−1.3'],
  [-0.001, 2, '0.00'],
  [1234.5, 1, '1,234.5'],
  [NaN, 2, '–'],
])('writes %f with %i digits', (value, digits, text) => {
  expect(english.fixed(value, digits)).toBe(text);
});

it('puts a plus before numbers above zero, but not before those that round to it', () => {
  expect([0.25, 0.001, 0, -0.25].map((x) => english.signed(x))).toEqual(['+0.25', '0.00', '0.00', '−0.25']);
});

it('writes thousands alike, with and without digits after the point', () => {
  expect([english.whole(20877), english.fixed(11808.9, 1), english.signed(-1234.5)]).toEqual([
    '20,877',
    '11,808.9',
    '−1,234.50',
  ]);
});

it('writes as the language does', () => {
  expect(english.whole(12345)).toBe('12,345');
  expect(german.whole(12345)).toBe('12.345');
  expect(german.fixed(0.5)).toBe('0,50');
  expect(german.percent(0.234)).toBe('23\u00a0%');
});
