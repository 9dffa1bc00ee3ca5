import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Change, moved, touches } from '../../../src/routing/positions.js';

const apply = (text: string, { offset, length, text: put }: Change) =>
  text.slice(0, offset) + put + text.slice(offset + length);

describe('a span under an edit', () => {
  it.each([
    ['before it', { offset: 0, length: 2, text: 'xyz' }, { start: 5, end: 9 }, false],
    ['typed at its start', { offset: 4, length: 0, text: 'x' }, { start: 5, end: 9 }, false],
    ['inside', { offset: 5, length: 1, text: '' }, { start: 4, end: 7 }, true],
    ['typed inside', { offset: 6, length: 0, text: 'xx' }, { start: 4, end: 10 }, true],
    ['typed at its end', { offset: 8, length: 0, text: 'x' }, { start: 4, end: 8 }, false],
    ['over its start', { offset: 2, length: 4, text: 'x' }, { start: 3, end: 5 }, true],
    ['over its end', { offset: 6, length: 4, text: 'x' }, { start: 4, end: 6 }, true],
    ['over all of it', { offset: 2, length: 8, text: 'x' }, { start: 3, end: 3 }, true],
    ['after it', { offset: 9, length: 1, text: '' }, { start: 4, end: 8 }, false],
  ])('%s', (_, change, span, touched) => {
    expect(moved({ start: 4, end: 8 }, change)).toEqual(span);
    expect(touches({ start: 4, end: 8 }, change)).toBe(touched);
  });

  it('keeps its text if an edit does not touch it, whatever the edit', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }),
        fc.nat(),
        fc.nat(),
        fc.nat(),
        fc.nat(),
        fc.string(),
        (text, a, b, c, d, put) => {
          const [start, end] = [a % (text.length + 1), b % (text.length + 1)].sort((x, y) => x - y) as [number, number];
          const offset = c % (text.length + 1);
          const change = { offset, length: d % (text.length - offset + 1), text: put };
          const after = apply(text, change);
          const to = moved({ start, end }, change);
          expect(to.start).toBeGreaterThanOrEqual(0);
          expect(to.end).toBeGreaterThanOrEqual(to.start);
          expect(to.end).toBeLessThanOrEqual(after.length);
          if (!touches({ start, end }, change)) expect(after.slice(to.start, to.end)).toBe(text.slice(start, end));
        },
      ),
    );
  });
});
