/** A strategy that is defined in one file appears everywhere. */
import { afterAll, expect, it, vi } from 'vitest';
import type { StrategyDescriptor } from '../../../src/strategies/strategy.js';

const planted: StrategyDescriptor = {
  name: 'first',
  title: 'The first',
  hint: 'The first expert has all.',
  takes: 'k',
  measured: [1],
  needs: [],
  weights: { by: 'strategy', weight: (e) => (e === 0 ? 1 : 0) },
};

// Other test files in this worker load these modules without the planted strategy.
vi.resetModules();
vi.doMock('../../../src/strategies/all.js', async (original) => {
  const { all: own } = await original<{ readonly all: readonly StrategyDescriptor[] }>();
  return { all: [...own, planted] };
});
afterAll(() => {
  vi.doUnmock('../../../src/strategies/all.js');
  vi.resetModules();
});

const { settings } = await import('../../../scripts/strategies.mjs');
const { choose, labelOf } = await import('../../../evaluate/strategies.js');
const { StrategySteering } = await import('../../../src/engine/families/lora-pool/steering.js');
const { all } = await import('../../../src/strategies/all.js');
const { readStrategy, strategiesFor, strategyForms } = await import('../../../src/strategies/index.js');
const { strategySchema } = await import('../../../src/strategies/schema.js');

it('is planted', () => {
  expect(all.at(-1)!.name).toBe('first');
});

it('appears in the command line’s help and is parsed there', () => {
  expect(strategyForms()).toMatch(/, first\[:k\]$/);
  expect(readStrategy('first:2')).toEqual({ name: 'first', k: 2 });
});

it('appears in the panel’s list', () => {
  const offer = { name: 'first', title: 'The first', hint: 'The first expert has all.', takes: ['k'] };
  expect(strategiesFor([])).toContainEqual(offer);
});

it('appears in the settings', () => {
  const { 'package.json': manifest, 'package.nls.json': texts } = settings(all);
  expect(manifest).toContain('"%setting.strategy.first%"');
  expect(texts).toContain('"setting.strategy.first": "The first expert has all."');
});

it('is allowed in messages and stored state', () => {
  expect(strategySchema.safeParse({ name: 'first', k: 2 }).success).toBe(true);
  expect(strategySchema.safeParse({ name: 'first' }).success).toBe(false);
});

it('is evaluated', () => {
  const pool = { experts: [], strategies: ['first'] };
  expect(choose(pool, ['first:1']).main).toEqual(['first:1']);
  expect(labelOf('first:1')).toBe('first, k = 1');
});

it('steers the engine', () => {
  const plan = {
    modules: [{ path: 'm', layer: 0, kind: 'up', sequence: 0 }],
    rows: [0],
    widths: [4],
    experts: ['a', 'b'],
    adapts: [true, true],
    scored: {
      phatgoose: [true, true],
      'average-activation': [true, true],
      arrow: [true, true],
      'jointly-trained': [true, true],
    },
    routers: [],
    leftOut: {},
    warnings: [],
    eightBits: [],
    bytes: 0,
  };
  expect([...new StrategySteering(plan, { name: 'first', k: 1 }, []).inputs(0, 1).fixed]).toEqual([1, 0]);
});
