import { describe, expect, it } from 'vitest';
import { parts } from '../../../scripts/lib/parts.mjs';
import { parseScope, partsOf, shareOf } from '../../../scripts/lib/scope.mjs';

const namesOf = (...args: string[]) => partsOf(parts, parseScope(args)).map(([name]) => name);

describe('a run', () => {
  it('includes everything of a smaller one', () => {
    const [quick, all, everything] = [namesOf(), namesOf('--all'), namesOf('--everything')];
    expect(all).toEqual(expect.arrayContaining(quick));
    expect(everything).toEqual(expect.arrayContaining(all));
    expect(everything).toEqual(Object.keys(parts));
    expect(quick).toEqual(expect.arrayContaining(['unit', 'python', 'engine', 'webview', 'ui']));
  });

  it('has only the named parts, if any are named', () => {
    expect(namesOf('unit', 'house')).toEqual(['unit', 'house']);
    expect(() => namesOf('unity')).toThrow('no part named unity; there are lint, types, unit');
  });

  it('accepts no other option', () => {
    expect(() => namesOf('--al')).toThrow(/--al.*there are --all, --everything and --shard i\/n/);
  });
});

describe('a share', () => {
  it.each(['0/2', '3/2', '1', 'a/b', '1/0', '-1/2'])('is not %s', (text) => {
    expect(() => parseScope([`--shard=${text}`])).toThrow('it must look like 1/3');
  });

  it.each([1, 2, 3, 7])('of %i overlaps no other, and together they are complete', (count) => {
    const list = ['a', 'b', 'c', 'd', 'e'];
    const shares = Array.from({ length: count }, (_, i) => shareOf(list, { index: i + 1, count }));
    expect(shares.flat().sort()).toEqual(list);
    expect(shareOf(list)).toEqual(list);
  });
});
