import { expect, it } from 'vitest';
import { json } from '../../../src/cli/json.js';

it('is the same data with nothing in it that a terminal obeys', () => {
  const text = 'a\n\u001b[31m\u009b2J\u007f\u202e\u2067\u2028 👩‍👧 é';
  const written = json({ text, [text]: 1 });
  expect(written).not.toMatch(/[^\P{C}\n\u200d]/u);
  expect(JSON.parse(written)).toEqual({ schema: 1, text, [text]: 1 });
});
