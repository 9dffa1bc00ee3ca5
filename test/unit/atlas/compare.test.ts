/** What moved between two atlases: a known load and a known label. */
import { describe, expect, it } from 'vitest';
import { compareAtlases } from '../../../src/atlas/compare.js';
import { tablesOf } from '../../../src/atlas/tables/index.js';
import { random } from '../../../src/statistics/random.js';
import { corpusOf, documentOf, drawn, traceOf } from './planted.js';

const experts = 8;

/** @param weightsOf of a document with this label in layer 1; layer 0 is the same in all */
function atlas(seed: number, weightsOf: (label: string) => readonly number[]) {
  const next = random(seed);
  const documents = Array.from({ length: 80 }, (_, d) => {
    const label = ['code', 'law', 'verse', 'mail'][d % 4]!;
    const ids = Array.from({ length: 60 }, () => Math.floor(next() * 30));
    const chosen = [Array<number>(experts).fill(1), weightsOf(label)].map((weights) =>
      ids.map(() => drawn(weights, next)),
    );
    return { document: documentOf(`${d}`, label), trace: traceOf(experts, chosen, ids) };
  });
  return tablesOf(corpusOf(documents)).tables;
}

const plain = () => Array<number>(experts).fill(1);

describe('two atlases', () => {
  it('of the same process differ by no more than chance', () => {
    const { layers, loads, labels, unmatched } = compareAtlases(atlas(1, plain), atlas(2, plain));
    expect(loads.filter(({ moved }) => moved)).toEqual([]);
    expect([labels, unmatched]).toEqual([[], 0]);
    for (const { distance, chance } of layers) expect(distance / chance).toBeLessThan(2);
  });

  it('show the load and the labels that moved', () => {
    const before = atlas(1, (label) => plain().map((x, e) => (label === 'law' && e === 5 ? 8 : x)));
    const after = atlas(2, (label) => plain().map((x, e) => (e === 3 ? 0 : label === 'code' && e === 5 ? 8 : x)));
    const { layers, loads, labels } = compareAtlases(before, after);
    expect(labels.map(({ unit, lost, gained }) => [unit['layer'], unit['expert'], lost, gained])).toEqual([
      [1, 5, ['law'], ['code']],
    ]);
    expect(layers.map(({ diedOut, revived }) => [diedOut, revived])).toEqual([
      [0, 0],
      [1, 0],
    ]);
    expect(layers[1]!.distance).toBeGreaterThan(3 * layers[1]!.chance);
    const rows = loads.filter(({ unit }) => unit['layer'] === 1);
    // What expert 3 had is spread over the others, 5 too, whose labels changed but hardly its load.
    expect(rows.find(({ unit }) => unit['expert'] === 3)).toMatchObject({ after: 0, change: -Infinity });
    const moved = rows.filter((one) => one.moved).map(({ unit, change }) => [unit['expert'], Math.sign(change)]);
    expect(moved.every(([e, sign]) => e !== 3 && sign === 1)).toBe(true);
    expect(moved.length).toBeGreaterThan(0);
    // Back again it is the same, the other way round.
    const back = compareAtlases(after, before);
    expect(back.layers.map(({ diedOut, revived }) => [diedOut, revived])).toEqual([
      [0, 0],
      [0, 1],
    ]);
    expect(back.layers[1]!.distance).toBeCloseTo(layers[1]!.distance, 12);
  });
});
