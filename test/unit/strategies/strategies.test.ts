import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { settings } from '../../../scripts/strategies.mjs';
import { all } from '../../../src/strategies/all.js';
import {
  readStrategy,
  routerOf,
  strategiesFor,
  strategyForms,
  strategyOf,
  strategyOfRouter,
  strategyText,
  usualK,
} from '../../../src/strategies/index.js';
import { strategySchema } from '../../../src/strategies/schema.js';
import { askedExpert, isChosenOnce } from '../../../src/trace/model/fixed.js';
import { weighing } from '../../../src/trace/model/router.js';
import type { Router } from '../../../src/trace/model/trace.js';

const root = path.resolve(import.meta.dirname, '../../..');

describe('strategies', () => {
  it('are written and parsed again', () => {
    for (const { name, takes } of all) {
      const strategy = strategyOf(name, { k: 2, expert: 'a:b' });
      expect(readStrategy(strategyText(strategy))).toEqual(strategy);
      expect(Object.keys(strategy)).toEqual(['name', ...(takes ? [takes] : [])]);
    }
    expect(strategyForms()).toBe(
      'base, single:<expert>, phatgoose[:k], retrieval, merged, merged-factors, average-activation[:k], arrow[:k], jointly-trained[:k], multitask, x-lora',
    );
    expect(readStrategy('arrow', () => 3)).toEqual({ name: 'arrow', k: 3 });
  });

  it.each(['', 'magic', 'base:2', 'single', 'phatgoose', 'phatgoose:0', 'phatgoose:x', 'retrieval:a'])(
    '"%s" is none',
    (text) => {
      expect(readStrategy(text)).toBeUndefined();
    },
  );

  it('are checked when they come from outside', () => {
    for (const { name } of all) {
      const strategy = strategyOf(name, { k: 2, expert: 'a' });
      expect(strategySchema.parse(strategy)).toEqual(strategy);
    }
    expect(strategySchema.parse({ name: 'retrieval', expert: 'a' })).toEqual({ name: 'retrieval', expert: 'a' });
    expect(strategySchema.parse({ name: 'native', k: 3 })).toEqual({ name: 'native', k: 3 });
    for (const wrong of [
      { name: 'magic' },
      { name: 'native' },
      { name: 'phatgoose' },
      { name: 'phatgoose', k: 0 },
      { name: 'base', k: 2 },
      { name: 'single' },
      { name: 'single', expert: 'a', more: 1 },
    ])
      expect(strategySchema.safeParse(wrong).success, JSON.stringify(wrong)).toBe(false);
  });

  it('are read from a trace as what they are: whether the expert was asked for, found for the whole text, or chosen by score', () => {
    const weighed = (router: Router) => weighing({ router, expertSets: [] });
    for (const { name, takes, finds, weights } of all) {
      const router = routerOf(strategyOf(name, { k: 2, expert: 'a' }));
      expect(askedExpert(router), name).toBe(takes === 'expert' ? 'a' : undefined);
      expect(isChosenOnce(router), name).toBe(finds === 'expert');
      if (weights.by !== 'classifier') expect(weighed(router) === 'fixed', name).toBe(weights.by === 'strategy');
    }
    // The engine writes whose the affinities are.
    expect(weighed({ name: 'x-lora', params: { affinities: 'x-lora' } })).toBe('scaled');
    expect(weighed({ name: 'merged', params: { affinities: 'arrow' } })).toBe('fixed');
  });

  it('are those that a pool has the files for', () => {
    const names = (parts: Parameters<typeof strategiesFor>[0]) => strategiesFor(parts).map(({ name }) => name);
    expect(names([])).toEqual(['base', 'single', 'merged', 'merged-factors', 'arrow']);
    expect(names(['gates', 'retriever', 'activations', 'multitask', 'router', 'xlora'])).toEqual(
      all.map(({ name }) => name),
    );
    expect(names(['retriever', 'activations', 'multitask', 'router'])).not.toContain('native');
    expect(strategiesFor([])[1]).toMatchObject({ name: 'single', title: 'One expert', takes: ['expert'] });
  });

  it('have a usual k, never more than there are experts', () => {
    const pool = (experts: number) => ({ topK: 2, experts: Array.from({ length: experts }) });
    expect(usualK('phatgoose', pool(12))).toBe(2);
    expect(usualK('arrow', pool(12))).toBe(3);
    expect(usualK('arrow', pool(2))).toBe(2);
  });

  it('are recorded in a trace as its router, and recognised there', () => {
    for (const { name } of all) {
      const strategy = strategyOf(name, { k: 2, expert: 'a' });
      expect(strategyOfRouter(routerOf(strategy))).toEqual(strategy);
    }
    expect(routerOf({ name: 'single', expert: 'a' })).toEqual({
      name: 'single',
      scoring: 'softmax',
      params: { expert: 'a' },
    });
    expect(strategyOfRouter({ name: 'mixtral', k: 2, params: { renormalised: true } })).toEqual({
      name: 'mixtral',
      k: 2,
    });
  });

  it('have the same texts in the settings', () => {
    for (const [name, text] of Object.entries(settings(all)))
      expect(readFileSync(path.join(root, name), 'utf8'), 'run node scripts/strategies.mjs').toBe(text);
  });
});
