/** What colours an atlas's map. The page gets rows without NaN and without ends, as the editor's messages carry them. */
import { expect, test } from 'vitest';
import { number } from '../../../src/atlas/tables/cells.js';
import type { Row } from '../../../src/atlas/tables/table.js';
import { colouredBy, type Colouring } from '../../../webview/atlas/colouring.js';
import { Atlas, type Unit } from '../../../webview/atlas/model.js';
import { saidFailures, saidFound, saidLift, saidQ, saidTimes } from '../../../webview/atlas/said.js';
import { madeAtlas, planted } from '../../webview/atlasHost.js';

const sent = (rows: readonly Row[]) => JSON.parse(JSON.stringify(rows)) as Row[];

function atlasOf({ about, tables }: ReturnType<typeof madeAtlas>): { atlas: Atlas; ablations: Row[] } {
  const [layers, experts, labels] = [tables.layers, tables.experts, tables.labels].map(sent) as [Row[], Row[], Row[]];
  const atlas = new Atlas({ type: 'atlas', title: '', about, layers, experts, labels, names: [] });
  return { atlas, ablations: sent(tables.ablations) };
}

const { atlas, ablations } = atlasOf(madeAtlas());
const [law, dead, overloaded, nothing] = [planted.law, planted.dead, planted.overloaded, planted.nothing].map((key) =>
  atlas.unit(key)!,
) as [Unit, Unit, Unit, Unit];

const coloured = (by: Colouring, label = 'law') => colouredBy(atlas, { by, label }, ablations);

test('load: the distance from chance, in doublings; a dead unit is below every scale', () => {
  const { valueOf, markOf, most, isCut } = coloured('load');
  expect(valueOf(overloaded)).toBeCloseTo(Math.log2(number(overloaded.row, 'load') / (1 / 8)), 12);
  expect(valueOf(dead)).toBe(-Infinity);
  expect([dead, overloaded, nothing].map(markOf)).toEqual(['dead', 'overloaded', undefined]);
  expect([most, isCut]).toEqual([3, true]);
});

test('lift: what was never chosen is not what is unknown', () => {
  const { valueOf, markOf } = coloured('lift');
  const row = law.labels.find((one) => one['label'] === 'law')!;
  expect(valueOf(law)).toBe(row['lift']);
  expect([law, nothing].map(markOf)).toEqual(['found', undefined]);
  expect(valueOf(dead)).toBeNaN();
  const never = { ...law, labels: [{ ...row, tokens: 0, lift: null }] };
  expect(valueOf(never)).toBe(-Infinity);
});

test('specialisation and the layer’s entropy begin at chance', () => {
  const { row } = law;
  expect(coloured('specialisation').valueOf(law)).toBeCloseTo(
    number(row, 'specialisation') - number(row, 'specialisationChance'),
    12,
  );
  expect(coloured('specialisation').valueOf(dead)).toBeNaN();
  const [one, two] = atlas.layers[2]!.units;
  const { valueOf } = coloured('entropy');
  expect(valueOf(one!)).toBe(valueOf(two!));
  expect(valueOf(one!)).toBeLessThan(-0.1);
});

test('ablation: only of what was knocked out, at random places', () => {
  const { valueOf, markOf } = coloured('ablation');
  const row = ablations.find(
    ({ layer, expert, kind, effect }) => layer === 0 && expert === 5 && kind === 'random' && effect === 'next',
  )!;
  expect(valueOf(law)).toBe(row['difference']);
  expect([law, nothing].map(markOf)).toEqual(['found', undefined]);
  expect(valueOf(nothing)).toBe(0);
  expect(valueOf(overloaded)).toBeNaN();
});

test('what a label lacks to pass the test is said, in its row and in a sentence', () => {
  const row = law.labels.find((one) => one['label'] === 'law')!;
  const lacking = (cells: Row) => {
    const own = { ...row, specialised: false, ...cells };
    return [saidFound(law, own), saidFailures(law, own)];
  };
  expect(saidFound(law, row)).toBe('specialised');
  expect(lacking({ lift: 0.4, q: 0.0001, firstHalf: 0.3, secondHalf: 0.5 })).toEqual([
    'too small',
    'That is significant and the same in both halves of the corpus, but too small: the test asks for at least 2 times.',
  ]);
  expect(lacking({ lift: 1.4, q: 0.3, firstHalf: 1.3, secondHalf: 1.5 })).toEqual([
    'may be chance',
    'It does not pass the test: may be chance (a q of at most 0.05 is asked for).',
  ]);
  expect(lacking({ lift: 0.4, q: 0.3, firstHalf: 0.9, secondHalf: -0.1 })).toEqual([
    'too small, may be chance, not in both halves',
    'It does not pass the test: too small (at least 2 times is asked for), may be chance (a q of at most 0.05 is asked for), not so in both halves of the corpus.',
  ]);
  // A half that never chose it agrees with a label that avoids it; one without documents does not.
  expect(lacking({ lift: -0.4, q: 0.0001, firstHalf: null, secondHalf: -0.1 })[0]).toBe('too small');
  expect(lacking({ lift: -1.4, q: 0.0001, firstHalf: null, secondHalf: -1.1 })[0]).toBe('not in both halves');
  expect(lacking({ q: null })[0]).toBe('too few documents');
});

test('a number that just misses a bound is not rounded to it', () => {
  expect([saidTimes(1), saidTimes(0.99), saidTimes(0.9999)]).toEqual(['2.0', '1.99', '1.9999']);
  expect([saidLift(1), saidLift(0.998), saidLift(-0.998)]).toEqual(['+1.00', '+0.998', '−0.998']);
  expect([saidQ(0.05), saidQ(0.0502), saidQ(0.0504)]).toEqual(['0.050', '0.0502', '0.0504']);
});

test('a pool’s experts over all layers come first', () => {
  const pool = atlasOf(madeAtlas({ isPool: true })).atlas;
  expect(pool.layers.map(({ layer }) => layer)).toEqual([null, 0, 1, 2]);
  expect(pool.placeOf({ stack: null, layer: null, router: null, expert: 4 })).toEqual({ row: 0, column: 4 });
});
