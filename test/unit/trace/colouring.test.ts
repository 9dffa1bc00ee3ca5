import { describe, expect, it } from 'vitest';
import { certaintyByToken } from '../../../src/trace/figures/distribution.js';
import { colourings, isByLayer, lackFor, measured, shownBy } from '../../../src/trace/figures/colouring.js';
import { blockOf, fabricate, fabricateIds, textOf, withBlock, without, withText } from './fabricate.js';

const router = { name: 'mixtral', k: 2, scoring: 'softmax' } as const;
/** Three layers with one router each. */
const trace = fabricate({ layers: 3, kinds: ['router'], router });

describe('what can colour a text', () => {
  it('is everything that the source gave', () => {
    expect(colourings.map((by) => lackFor(trace, by))).toEqual(colourings.map(() => undefined));
    const bare = withText(fabricateIds(), {});
    expect(colourings.map((by) => lackFor(bare, by))).toEqual([
      undefined,
      'routerLogitNone',
      'routerLogitNone',
      'weightNone',
      'predictionsNone',
      'predictionsNone',
      undefined,
    ]);
    expect(lackFor({ ...trace, router: { name: 'unknown' } }, 'entropy')).toBe('scoringNone');
    expect(lackFor({ ...trace, router: { name: 'unknown' } }, 'margin')).toBe('marginNone');
  });

  it('depends on the layer, except for probability, which is the whole model’s', () => {
    expect(colourings.filter(isByLayer)).toEqual(['experts', 'entropy', 'margin', 'weight']);
  });
});

describe('a measure', () => {
  it('is the mean over all layers, or one layer’s', () => {
    expect(measured(trace, 0, 'entropy').value).toEqual(certaintyByToken(trace).entropy);
    expect(measured(trace, 0, 'margin', { layer: 1 }).value).toEqual(certaintyByToken(trace, { layer: 1 }).margin);
  });

  it('of weights is the largest of a token, whichever expert has it and at whatever rank', () => {
    const { weight, k } = blockOf(trace);
    const { count } = textOf(trace).tokens;
    const of = (layer: number, t: number) =>
      Math.max(...weight!.subarray((layer * count + t) * k, (layer * count + t + 1) * k));
    expect(measured(trace, 0, 'weight', { layer: 2 }).value[4]).toBeCloseTo(of(2, 4));
    expect(measured(trace, 0, 'weight').value[4]).toBeCloseTo((of(0, 4) + of(1, 4) + of(2, 4)) / 3);
    const swapped = withBlock(trace, {
      chosen: blockOf(trace).chosen.slice().reverse(),
      weight: weight!.slice().reverse(),
    });
    expect(measured(swapped, 0, 'weight', { layer: 0 }).value[0]).toBeCloseTo(of(2, count - 1));
  });

  it('is stronger for a closer choice, a larger weight and a less expected token', () => {
    for (const [by, sign] of [
      ['entropy', 1],
      ['weight', 1],
      ['margin', -1],
      ['probability', -1],
      ['surprise', 1],
    ] as const) {
      const { value, strength, weak, strong, isPast } = measured(trace, 0, by);
      const isReversed = weak > strong;
      const past = [
        value.some((x) => (isReversed ? x > weak : x < weak)),
        value.some((x) => (isReversed ? x < strong : x > strong)),
      ];
      expect(isPast, by).toEqual(past);
      expect(past, by).toEqual(by === 'probability' ? [false, false] : [true, true]);
      const order = [...value.keys()]
        .filter((t) => !Number.isNaN(value[t]!))
        .sort((a, b) => sign * (value[a]! - value[b]!));
      const shown = order.map((t) => strength[t]!);
      expect(shown, by).toEqual([...shown].sort((a, b) => a - b));
      expect(shown.every((x) => x >= 0 && x <= 1)).toBe(true);
      expect(Math.sign(strong - weak), by).toBe(sign);
    }
  });

  it('is unknown if the source does not say', () => {
    const { value, strength, weak } = measured(without(trace, 'weight'), 0, 'weight');
    expect([...value, ...strength, weak].every(Number.isNaN)).toBe(true);
    const partial = measured(withText(trace, { done: 3 }), 0, 'weight');
    expect(partial.strength[2]).not.toBeNaN();
    expect(partial.strength[3]).toBeNaN();
    // The first token is given, not predicted.
    expect(measured(trace, 0, 'probability').strength[0]).toBeNaN();
  });

  it('that is the same for all tokens makes none stand out', () => {
    const even = withBlock(trace, { weight: blockOf(trace).weight!.map(() => 0.5) });
    expect(new Set(measured(even, 0, 'weight').strength)).toEqual(new Set([0]));
  });
});

it('leading experts replace a colouring that the trace has no numbers for', () => {
  expect(shownBy(trace, { by: 'margin', layer: '1' })).toEqual({ by: 'margin', layer: '1' });
  expect(shownBy(without(trace, 'score'), { by: 'margin', layer: '1' })).toEqual({ by: 'experts', layer: '' });
});
