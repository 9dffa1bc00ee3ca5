import { describe, expect, it } from 'vitest';
import { mergedNames, parseNames, renamed, writtenNames } from '../../../src/atlas/names.js';
import type { OwnName } from '../../../src/atlas/protocol.js';

const name = (layer: number | null, expert: number, given = 'x', note = ''): OwnName => ({
  stack: null,
  layer,
  router: null,
  expert,
  name: given,
  note,
});

describe('names.json', () => {
  it('is read as it was written, and begins as nothing', () => {
    const names = [name(null, 1, 'prose'), name(3, 7, 'closing brackets', 'also in JSON')];
    expect(parseNames(writtenNames(names))).toEqual(names);
    expect(parseNames('')).toEqual([]);
    expect(parseNames(' \n')).toEqual([]);
  });

  it('keeps fields of a later version out, and refuses what is not a name', () => {
    const written = (entry: object) => JSON.stringify({ format: 'gander-atlas-names', version: 1, names: [entry] });
    expect(parseNames(written({ ...name(1, 2), colour: 'red' }))).toEqual([name(1, 2)]);
    for (const wrong of [{ expert: -1 }, { layer: 1.5 }, { stack: 'both' }, { name: 7 }, { note: 'x'.repeat(20_001) }])
      expect(() => parseNames(written({ ...name(1, 2), ...wrong }))).toThrow();
  });

  it('has one entry for a unit, in the order of layers and experts; an empty one is none', () => {
    const [a, b, c] = [name(null, 0), name(2, 11), name(10, 2)] as const;
    expect([c, a, b].reduce<readonly OwnName[]>(renamed, [])).toEqual([a, b, c]);
    expect(renamed([a, b, c], name(2, 11, 'y'))).toEqual([a, name(2, 11, 'y'), c]);
    expect(renamed([a, b], name(2, 11, '', ''))).toEqual([a]);
    expect(renamed([a], name(2, 11, '', 'only a note'))).toHaveLength(2);
    expect(renamed([b], { ...b, stack: 'decoder' })).toHaveLength(2);
  });
});

describe('merged names', () => {
  const merged = (...all: (readonly OwnName[])[]) =>
    mergedNames(all.map((names, i) => ({ atlas: `${i + 1}.gander-atlas`, names })));

  it('are those of all parts, in order', () => {
    const [a, b] = [name(null, 3), name(1, 2)];
    expect(merged([b], [], [a])).toEqual({ names: [a, b], others: [] });
  });

  it('keep the first name of a unit and say what another part calls it; no note is lost', () => {
    const { names, others } = merged(
      [name(1, 2, '', 'only a note')],
      [name(1, 2, 'brackets', 'seen in JSON')],
      [name(1, 2, 'brackets', 'seen in JSON'), name(1, 3, 'same')],
      [name(1, 2, 'closing', ''), name(1, 3, 'same')],
    );
    expect(names).toEqual([name(1, 2, 'brackets', 'only a note\n\nseen in JSON'), name(1, 3, 'same')]);
    expect(others).toEqual([
      {
        unit: { stack: null, layer: 1, router: null, expert: 2 },
        kept: { atlas: '2.gander-atlas', name: 'brackets' },
        other: { atlas: '4.gander-atlas', name: 'closing' },
      },
    ]);
  });

  it('can be read again, however long the notes are', () => {
    const { names } = merged([name(1, 2, 'a', 'x'.repeat(15_000))], [name(1, 2, 'a', 'y'.repeat(15_000))]);
    expect(parseNames(writtenNames(names))).toHaveLength(1);
  });
});
