import { describe, expect, it } from 'vitest';
import { choose, keyOf, labelOf, mainStrategies, strategyOfKey } from '../../../evaluate/strategies.js';
import { pool } from './fakes.js';

describe('strategies', () => {
  it('have short names that can be parsed', () => {
    for (const key of [...mainStrategies, 'single:a b']) expect(keyOf(strategyOfKey(key))).toBe(key);
  });

  it.each(['', 'phatgoose', 'phatgoose:0', 'phatgoose:x', 'base:2', 'single', 'best'])('do not include "%s"', (key) => {
    expect(() => strategyOfKey(key)).toThrow('not a strategy');
  });

  it('are by default all that the pool offers, single experts last, and the missing ones are named', () => {
    const { main, singles, missing } = choose(pool);
    expect(main).toEqual([
      'base',
      'phatgoose:2',
      'phatgoose:1',
      'phatgoose:3',
      'merged',
      'merged-factors',
      'average-activation:2',
      'arrow:3',
    ]);
    expect(singles).toEqual(['single:a', 'single:b', 'single:c']);
    expect(missing).toEqual(['retrieval', 'jointly-trained:2', 'multitask', 'x-lora']);
  });

  it('include a classifier beside gates and a jointly trained router, in one run', () => {
    const strategies = [...pool.strategies, 'jointly-trained', 'x-lora'];
    const { main, missing } = choose({ ...pool, strategies });
    expect(main.slice(-2)).toEqual(['jointly-trained:2', 'x-lora']);
    expect(missing).toEqual(['retrieval', 'multitask']);
    expect(choose({ ...pool, strategies }, ['x-lora']).main).toEqual(['phatgoose:2', 'x-lora']);
  });

  it('always include the reference', () => {
    expect(choose(pool, ['base'])).toEqual({ main: ['base', 'phatgoose:2'], singles: [], missing: [] });
    expect(choose(pool, ['single', 'base', 'base', 'arrow:1']).main).toEqual(['base', 'phatgoose:2', 'arrow:1']);
    expect(() => choose(pool, ['single:z'])).toThrow('no expert for "single:z"');
  });

  it('have readable labels', () => {
    expect(labelOf('average-activation:2')).toBe('average activation, k = 2');
    expect(labelOf('single:sql')).toBe('single: sql');
    expect(labelOf('base')).toBe('base');
    expect(labelOf('x-lora')).toBe('X-LoRA');
  });
});
