import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placesAfterFirst, placesOfCharacters, placesOfSpelling } from '../../../src/remote/places.js';

const list = (places: ReturnType<typeof placesOfSpelling>, text: string) =>
  places && [...places.start].map((start, t) => (start < 0 ? null : text.slice(start, places.end[t])));

describe('offsets in characters', () => {
  it('become UTF-16 units, also past an emoji', () => {
    const text = '🪿 goose';
    const places = placesOfCharacters(
      [
        [0, 0],
        [0, 1],
        [1, 7],
      ],
      text,
    );
    expect(list(places, text)).toEqual([null, '🪿', ' goose']);
  });

  it.each([[[[0, 9]]], [[[3, 1]]], [[[-1, 2]]]])('that are none of the text’s are refused: %j', (pairs) => {
    expect(placesOfCharacters(pairs as [number, number][], 'goose')).toBeUndefined();
  });
});

describe('spellings laid along a text', () => {
  it.each([
    [['<s>', 'the', ' goose'], 'the goose', [null, 'the', ' goose']],
    // A vocabulary with a word mark spells no space.
    [['<s>', 'the', 'goose', '</s>'], 'the goose', [null, 'the', ' goose', null]],
    // Four bytes of one character.
    [['a', '\ufffd', '\ufffd', '\ufffd', '\ufffd', 'b'], 'a🪿b', ['a', '🪿', '🪿', '🪿', '🪿', 'b']],
    [['a', '\ufffd', '\ufffd'], 'aé', ['a', 'é', 'é']],
    // As vLLM spells them: the last one has it whole.
    [['a', '', '', '🪿!', 'b'], 'a🪿!b', ['a', '🪿', '🪿', '🪿!', 'b']],
    [['a', '', 'b'], 'ab\n', ['a', null, 'b']],
  ])('%j', (spelled, text, wanted) => {
    expect(list(placesOfSpelling(spelled, text), text)).toEqual(wanted);
  });

  it('are refused where they leave some of it', () => {
    expect(placesOfSpelling(['the', ' duck'], 'the goose')).toBeUndefined();
  });

  it('without the first: it covers what they leave', () => {
    expect(list(placesAfterFirst([' goose'], 'the goose'), 'the goose')).toEqual(['the', ' goose']);
    expect(list(placesAfterFirst(['the', ' goose'], 'the goose'), 'the goose')).toEqual([null, 'the', ' goose']);
    expect(placesAfterFirst([' duck'], 'the goose')).toBeUndefined();
  });

  it('tile any text that is cut anywhere between characters', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string({ unit: 'binary', minLength: 1 }).filter((s) => !s.includes('\ufffd')),
          { minLength: 1 },
        ),
        (cut) => {
          const text = cut.join('');
          expect(list(placesOfSpelling(cut, text), text)).toEqual(cut);
        },
      ),
    );
  });
});
