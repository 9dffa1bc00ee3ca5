import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placesAfterFirst, placesOfCharacters, placesOfSpelling } from '../../../src/remote/places.js';

const list = (places: ReturnType<typeof placesOfSpelling>, text: string) =>
  places && [...places.start].map((start, t) => (start < 0 ? null : text.slice(start, places.end[t])));

describe('offsets in characters', () => {
  it('become UTF-16 units, also after an emoji', () => {
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

  it.each([[[[0, 9]]], [[[3, 1]]], [[[-1, 2]]]])('are refused if they do not fit the text: %j', (pairs) => {
    expect(placesOfCharacters(pairs as [number, number][], 'goose')).toBeUndefined();
  });
});

describe('spellings matched with a text', () => {
  it.each([
    [['<s>', 'the', ' goose'], 'the goose', [null, 'the', ' goose']],
    // A vocabulary with a word mark spells no space.
    [['<s>', 'the', 'goose', '</s>'], 'the goose', [null, 'the', ' goose', null]],
    // Four bytes of one character.
    [['a', '\ufffd', '\ufffd', '\ufffd', '\ufffd', 'b'], 'a🪿b', ['a', '🪿', '🪿', '🪿', '🪿', 'b']],
    [['a', '\ufffd', '\ufffd'], 'aé', ['a', 'é', 'é']],
    // As vLLM spells them: only the last token contains the character.
    [['a', '', '', '🪿!', 'b'], 'a🪿!b', ['a', '🪿', '🪿', '🪿!', 'b']],
    [['a', '', 'b'], 'ab\n', ['a', null, 'b']],
  ])('%j', (spelled, text, wanted) => {
    expect(list(placesOfSpelling(spelled, text), text)).toEqual(wanted);
  });

  it('are refused if they leave a part of it', () => {
    expect(placesOfSpelling(['the', ' duck'], 'the goose')).toBeUndefined();
  });

  it('leave the rest to the first token, if its spelling is unknown', () => {
    expect(list(placesAfterFirst([' goose'], 'the goose'), 'the goose')).toEqual(['the', ' goose']);
    expect(list(placesAfterFirst(['the', ' goose'], 'the goose'), 'the goose')).toEqual([null, 'the', ' goose']);
    expect(placesAfterFirst([' duck'], 'the goose')).toBeUndefined();
  });

  it('cover any text that is cut anywhere between characters', () => {
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
