import fc from 'fast-check';
import { expect, test } from 'vitest';
import { scaleOf } from '../../../src/paper/scale.js';

test('goes linearly from one end to the other, and back', () => {
  const y = scaleOf([0, 4], [90, 10]);
  expect([y.at(0), y.at(1), y.at(4)]).toEqual([90, 70, 10]);
  expect(y.back(70)).toBeCloseTo(1, 12);
  // With no width, everything is at its beginning.
  expect(scaleOf([3, 3], [5, 9]).at(3)).toBe(5);
});

test('ticks are round, and written with as many decimals as they need', () => {
  const of = (high: number, count: number) => {
    const scale = scaleOf([0, high], [0, 1]);
    return scale.ticks(count).map((at) => at.toFixed(scale.digits(count)));
  };
  expect(of(1, 4)).toEqual(['0.0', '0.2', '0.4', '0.6', '0.8', '1.0']);
  expect(of(0.3, 4)).toEqual(['0.0', '0.1', '0.2', '0.3']);
  expect(of(29, 6)).toEqual(['0', '5', '10', '15', '20', '25']);
  expect(of(7, 4)).toEqual(['0', '2', '4', '6']);
  expect(scaleOf([2, 9], [0, 1]).ticks(6)).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
});

test('ticks of any scale are within it, equally spaced, and about as many as requested', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -1e6, max: 1e6 }),
      fc.integer({ min: 1, max: 1e6 }),
      fc.integer({ min: 2, max: 8 }),
      (a, w, n) => {
        const [low, high] = [a / 1000, (a + w) / 1000];
        const ticks = scaleOf([low, high], [0, 1]).ticks(n);
        const slack = 1e-9 * Math.max(1, Math.abs(low), Math.abs(high));
        expect(ticks.every((at) => at >= low - slack && at <= high + slack)).toBe(true);
        expect(ticks.length).toBeGreaterThanOrEqual(Math.floor(n / 1.5) - 1);
        expect(ticks.length).toBeLessThanOrEqual(n * 1.5 + 2);
      },
    ),
  );
});
