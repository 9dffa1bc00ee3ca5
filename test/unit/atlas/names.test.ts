import { describe, expect, it } from 'vitest';
import { parseNames, renamed, writtenNames } from '../../../src/atlas/names.js';
import type { OwnName } from '../../../src/atlas/protocol.js';

const name = (layer: number | null, expert: number, given = 'x', note = ''): OwnName => ({
  stack: null,
  layer,
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
