import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { documentLine, lineStarts, runsNow, textLine, wholeLines } from '../../../src/trace/text/lines.js';
import { rangesWords } from '../../../src/trace/text/whatIfWords.js';

test('lines begin after each line break, of any kind; after a final one there is an empty line', () => {
  expect([...lineStarts('a\nbb\r\nc\rd\n')]).toEqual([0, 2, 6, 8, 10]);
  expect([...lineStarts('')]).toEqual([0]);
});

describe('a range of tokens', () => {
  const text = 'def f(x):\n  return x\n\nf(1)';
  const words = [...text.matchAll(/\n| *\w+|[^\s\w]+/g)];
  const tokens = {
    count: words.length,
    start: Int32Array.from(words, ({ index }) => index),
    end: Int32Array.from(words, ({ index, 0: word }) => index + word.length),
  };
  const sequence = { role: 'text', text, tokens, done: words.length, predictions: 0 } as const;
  const at = (word: string, n = 0) => words.flatMap(({ 0: one }, i) => (one.trim() === word.trim() ? [i] : []))[n]!;
  const say = (ranges: readonly (readonly [number, number])[], lineNumber?: (line: number) => number) =>
    rangesWords(ranges, sequence, {
      word: (key, ...values) => [key, ...values].join(' '),
      ...(lineNumber && { lineNumber }),
    });

  test('is whole lines, with or without line breaks, or none', () => {
    expect(wholeLines(sequence, [0, at('return')])).toEqual([0, 0]);
    expect(wholeLines(sequence, [0, at('return') - 1])).toEqual([0, 0]);
    expect(wholeLines(sequence, [at('return'), tokens.count])).toEqual([1, 3]);
    expect(wholeLines(sequence, [at('f'), at('return')])).toBeUndefined();
    expect(wholeLines(sequence, [0, at('x', 1)])).toBeUndefined();
    expect(wholeLines({ ...sequence, text: undefined as unknown as string }, [0, 3])).toBeUndefined();
  });

  test('is named by its lines in the document, or else by its tokens; several ranges by their number', () => {
    expect(say([[0, at('return')]], (line) => line + 41)).toBe('lineOf 41');
    expect(say([[at('return'), tokens.count]], (line) => line + 41)).toBe('windowLines 42 44');
    expect(say([[0, at('return')]])).toBe(`windowOf 1 ${at('return')}`);
    expect(say([[1, 2]], (line) => line)).toBe('tokenNumber 2');
    expect(say([[0, 3], [5, 6]])).toBe('tokensIn 4 2'); // prettier-ignore
  });
});

/** A document of lines before and after an edit. The text is all of it, and each word is a token. */
function edited(before: readonly string[], after: readonly string[]) {
  const text = before.join('\n');
  const document = after.join('\n');
  const words = [...text.matchAll(/\S+/g)];
  const start = Int32Array.from(words, ({ index }) => index);
  // Words are unique, so each remaining one can be found by itself.
  const now = Int32Array.from(words, ([word]) => document.search(new RegExp(`\\b${word}\\b`)));
  const lineAt = (offset: number) => document.slice(0, offset).split('\n').length - 1;
  return { text, start, now, lineAt };
}

describe('where lines are after an edit', () => {
  const before = ['a b', '', 'c', 'd e', 'f'];
  const runs = (after: readonly string[], first = 0) => {
    const { text, start, now, lineAt } = edited(before, after);
    return runsNow(lineStarts(text), start, now, lineAt, first);
  };

  test('lines before it stay, lines after it move', () => {
    expect(runs(before)).toEqual([[0, 0]]);
    const found = runs(['a b', '', 'x', 'y', 'c', 'd e', 'f']);
    expect(found).toEqual([
      [0, 0],
      [2, 4],
    ]);
    expect([0, 1, 2, 4].map((line) => documentLine(found, line))).toEqual([0, 1, 4, 6]);
    expect([0, 1, 4, 6].map((line) => textLine(found, line))).toEqual([0, 1, 2, 4]);
    // Inserted lines are not lines of the text.
    expect([2, 3].map((line) => textLine(found, line))).toEqual([1, 1]);
  });

  test('a deleted line is where the next one is', () => {
    const found = runs(['a b', '', 'd e', 'f']);
    expect([0, 1, 2, 3, 4].map((line) => documentLine(found, line))).toEqual([0, 1, 2, 2, 3]);
  });

  test('a text that begins further down is counted from there', () => {
    const found = [[0, 11]] as const;
    expect([documentLine(found, 3), textLine(found, 14), textLine(found, 5)]).toEqual([14, 3, -6]);
  });

  test('lines that kept their tokens are found in both directions', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('keep', 'drop', 'blank'), { maxLength: 12 }), fc.nat(3), (what, added) => {
        const lines = what.map((one, i) => (one === 'blank' ? '' : `word${i} more${i}`));
        const after = [
          ...Array.from({ length: added }, (_, i) => `new${i}`),
          ...lines.filter((_, i) => what[i] !== 'drop'),
        ];
        const { text, start, now, lineAt } = edited(lines, after);
        const found = runsNow(lineStarts(text), start, now, lineAt, 0);
        lines.forEach((line, i) => {
          if (what[i] !== 'keep') return;
          expect(documentLine(found, i)).toBe(after.indexOf(line));
          expect(textLine(found, after.indexOf(line))).toBe(i);
        });
      }),
    );
  });
});
