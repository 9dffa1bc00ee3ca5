import { expect, it } from 'vitest';
import { titleOf } from '../../../src/host/texts.js';

it('the title of a range names its lines, without one of which nothing is selected', () => {
  const text = 'one\ntwo\nthree\n';
  const document = {
    uri: { path: '/texts/README.md' },
    getText: () => text,
    positionAt: (offset: number) => {
      const before = text.slice(0, offset).split('\n');
      return { line: before.length - 1, character: before.at(-1)!.length };
    },
  };
  const titled = (start: number, end: number) => titleOf(document as never, { start, end });
  expect(titled(0, text.length)).toBe('README.md');
  expect(titled(0, 8)).toBe('README.md:1–2');
  expect(titled(4, 8)).toBe('README.md:2');
  expect(titled(3, 4)).toBe('README.md:1');
  expect(titled(4, 9)).toBe('README.md:2–3');
  expect(titled(8, 8)).toBe('README.md:3');
});
