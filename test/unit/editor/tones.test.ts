import { describe, expect, it } from 'vitest';
import { strongest, tonesOf } from '../../../src/editor/tones.js';
import { slotsIn } from '../../../src/trace/figures/colours.js';
import { measured, measures } from '../../../src/trace/figures/colouring.js';
import { tokenLeaders } from '../../../src/trace/figures/leaders.js';
import { fabricate, sharedOf, textOf, without } from '../trace/fabricate.js';

const pool = fabricate({ router: { name: 'top-k', k: 2, scoring: 'softmax' } });
const part = sharedOf(pool);
const led = Array.from(tokenLeaders(pool, part).expert, (e) => (e < 0 ? undefined : slotsIn(pool, part.set)[e]));

describe('a text of a pool is underlined', () => {
  it('by leading expert, whichever layer was chosen elsewhere', () => {
    expect(led.some((slot) => slot !== undefined)).toBe(true);
    expect(tonesOf(pool, { by: 'experts', layer: '' })).toEqual({ slots: led });
    expect(tonesOf(pool, { by: 'experts', layer: '1' })).toEqual({ slots: led });
  });

  it.each(measures)('by %s, with thicker lines for stronger values', (by) => {
    const { slots, levels, measured: found } = tonesOf(pool, { by, layer: '' });
    expect(slots).toBeUndefined();
    expect(found).toEqual(measured(pool, 0, by));
    expect(levels).toHaveLength(textOf(pool).tokens.count);
    const strongestAt = found!.strength.indexOf(Math.max(...found!.strength.filter((x) => !Number.isNaN(x))));
    expect(levels![strongestAt]).toBe(strongest);
    found!.strength.forEach((share, t) => {
      if (!(share >= 0.2)) expect(levels![t]).toBeUndefined();
      else expect(levels![t]).toBeGreaterThanOrEqual(1);
    });
  });

  it('by a measure of one layer, which it names', () => {
    const one = tonesOf(pool, { by: 'margin', layer: '1' });
    expect(one.layer).toEqual({ layer: 1 });
    expect(one.levels).not.toEqual(tonesOf(pool, { by: 'margin', layer: '' }).levels);
  });

  it('not at all', () => {
    expect(tonesOf(pool, { by: 'nothing', layer: '' })).toEqual({});
  });

  it('by leading expert if the trace lacks what was chosen', () => {
    for (const [lacking, by] of [
      [without(pool, 'score'), 'margin'],
      [without(pool, 'logProb'), 'surprise'],
    ] as const)
      expect(tonesOf(lacking, { by, layer: '1' })).toEqual({ slots: led });
  });
});
