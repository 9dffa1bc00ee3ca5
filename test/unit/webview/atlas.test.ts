/** What colours an atlas's map. The page gets rows without NaN and without ends, as the editor's messages carry them. */
import { expect, test } from 'vitest';
import { number } from '../../../src/atlas/tables/cells.js';
import type { Row } from '../../../src/atlas/tables/table.js';
import { colouredBy, type Colouring } from '../../../webview/atlas/colouring.js';
import { Atlas, type Unit } from '../../../webview/atlas/model.js';
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

test('a pool’s experts over all layers come first', () => {
  const pool = atlasOf(madeAtlas({ isPool: true })).atlas;
  expect(pool.layers.map(({ layer }) => layer)).toEqual([null, 0, 1, 2]);
  expect(pool.placeOf({ stack: null, layer: null, router: null, expert: 4 })).toEqual({ row: 0, column: 4 });
});
