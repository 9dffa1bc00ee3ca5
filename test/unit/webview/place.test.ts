import { describe, expect, it } from 'vitest';
import type { Sequence } from '../../../src/trace/model/trace.js';
import { nowhere, samePlace } from '../../../webview/store/place.js';

/** Tokens that are written one after the other. */
function textOf(...tokens: string[]): Sequence {
  const end = Int32Array.from(tokens, (_, t) => tokens.slice(0, t + 1).join('').length);
  const start = end.map((past, t) => past - tokens[t]!.length);
  const text = tokens.join('');
  return { role: 'text', text, tokens: { count: tokens.length, start, end }, done: tokens.length, predictions: 0 };
}

const before = [textOf('Two', ' geese', ' and', ' a', ' gander')];
const place = (token: number, end?: number) => ({ sequence: 0, token, ...(end !== undefined && { end }) });

describe('the same place', () => {
  it.each([
    ['the same text', textOf('Two', ' geese', ' and', ' a', ' gander'), place(2), place(2)],
    ['a text that goes on otherwise', textOf('Two', ' geese', ' and', ' no', ' gander'), place(2, 3), place(2, 3)],
    ['a text that is another one before', textOf('Ten', ' geese', ' and', ' a', ' gander'), place(2), nowhere],
    ['a text that is another one there', textOf('Two', ' geese', ' or', ' a', ' gander'), place(2), nowhere],
    ['another file', textOf('SELECT', ' 1', ';'), place(4), nowhere],
    ['smaller tokens', textOf('Tw', 'o', ' gee', 'se', ' an', 'd', ' a', ' gander'), place(2), place(4)],
    ['smaller tokens, several', textOf('Tw', 'o', ' gee', 'se', ' an', 'd', ' a', ' gander'), place(1, 3), place(2, 6)],
    ['larger tokens', textOf('Two', ' geese and', ' a gander'), place(2), place(1)],
    ['nothing selected', textOf('SELECT'), place(-1), place(-1)],
  ])('in %s', (_, now, was, is) => {
    expect(samePlace(was, before, [now])).toEqual(is);
  });

  it('is kept as far as it fits where nothing is known of the text before, or of either', () => {
    const now = textOf('SELECT', ' 1', ';');
    expect(samePlace(place(1, 9), [], [now])).toEqual(place(1));
    expect(samePlace(place(7), [], [now])).toEqual(place(-1));
    const { text: _, ...nameless } = now;
    expect(samePlace(place(1), [nameless], [nameless])).toEqual(place(1));
    expect(samePlace({ sequence: 1, token: 0 }, before, [now])).toEqual(nowhere);
  });
});
