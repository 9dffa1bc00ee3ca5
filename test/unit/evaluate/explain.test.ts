import { describe, expect, it } from 'vitest';
import { explain, summarise } from '../../../evaluate/explain.js';
import { doc, traceOf } from './fakes.js';

const found = [
  { name: 'left', start: 0, end: 2 },
  { name: 'right', start: 2, end: 4 },
];

describe('what one trace shows', () => {
  const told = explain(
    traceOf('abcd', (t, m) => (t < 2 ? 0 : m + 1)),
    found,
  );

  it('counts choices by expert, layer and region', () => {
    expect(told.counts).toEqual([4, 2, 2]);
    expect(told.byLayer).toEqual([
      [2, 2, 0],
      [2, 0, 2],
    ]);
    expect(told.regions['left']).toEqual({ tokens: 2, counts: [4, 0, 0], choices: 4 });
    expect(told.regions['right']).toEqual({ tokens: 2, counts: [0, 2, 2], choices: 4 });
    expect([told.tokens, told.cells, told.choices]).toEqual([4, 8, 8]);
  });

  it('sums the entropy by layer and kind', () => {
    expect(told.layers).toEqual([0, 1]);
    expect(told.kinds).toEqual(['q', 'up']);
    expect(told.entropyCells).toEqual([
      [4, 0],
      [0, 4],
    ]);
    const p = [Math.exp(4), 1, 1].map((x, _, all) => x / all.reduce((a, b) => a + b));
    const h = -p.reduce((s, x) => s + x * Math.log(x), 0) / Math.log(3);
    expect(told.entropy[0]![0]! / 4).toBeCloseTo(h, 5);
  });
});

describe('what several traces show', () => {
  const to = (text: string, expert: number) =>
    explain(
      traceOf(text, () => expert),
      found,
    );

  it('is undefined without traces', () => {
    expect(summarise(['x'], [], 1)).toBeUndefined();
  });

  it('weights all kinds equally in the overall use', () => {
    const summary = summarise(
      ['x', 'y', 'z'],
      [
        { document: doc('x', '1'), explained: to('abcd', 0) },
        { document: doc('x', '2'), explained: to('abcd', 0) },
        { document: doc('y', '3'), explained: to('abcd', 1) },
      ],
      1,
    )!;
    expect(summary.share).toEqual([0.5, 0.5, 0]);
    expect(summary.effective).toBeCloseTo(2);
    expect(summary.kinds.map((k) => [k.kind, k.documents, k.effective])).toEqual([
      ['x', 2, 1],
      ['y', 1, 1],
    ]);
    expect(summary.oracle).toBeUndefined();
    expect(summary.entropy.cells[0]).toEqual([expect.any(Number), null]);
  });

  it('measures how differently a region uses experts', () => {
    const explained = explain(
      traceOf('abcd', (t) => (t < 2 ? 0 : 1)),
      found,
    );
    const [use] = summarise(['x'], [{ document: doc('x', '1'), explained }], 1)!.kinds;
    expect(use!.regions.map((r) => [r.name, r.totalVariation, [...r.share]])).toEqual([
      ['left', 1, [1, 0, 0]],
      ['right', 1, [0, 1, 0]],
    ]);
  });

  it('compares use with the gains of single experts', () => {
    const { oracle } = summarise(
      ['x', 'y'],
      [
        { document: doc('x', '1'), explained: to('abcd', 0), gains: [0.3, 0.2, 0.1] },
        { document: doc('x', '2'), explained: to('abcd', 0), gains: [0.1, 0.2, 0.3] },
        { document: doc('y', '3'), explained: to('abcd', 1), gains: [0.1, 0.2, 0] },
        { document: doc('y', '4'), explained: to('abcd', 2) },
      ],
      1,
    )!;
    expect(oracle!.documents).toBe(3);
    expect(oracle!.same.value).toBe(0.75); // x: 1 of 2; y: 1 of 1
    expect(oracle!.kinds['x']!.same.value).toBe(0.5);
    // Used: a ½, b ½. Best: a ¼, c ¼, b ½.
    expect(oracle!.chance).toBeCloseTo(0.5 * 0.25 + 0.5 * 0.5);
    expect(oracle!.kinds['y']!.rank.value).toBeCloseTo(Math.sqrt(3) / 2);
  });
});
