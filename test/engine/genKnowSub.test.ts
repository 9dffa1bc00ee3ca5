/** Arrow with general knowledge subtraction (GenKnowSub), compared with PEFT on adapters that it saved. */
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createEngine } from '../../src/engine/local.js';
import type { Engine } from '../../src/requests/ask.js';
import { casesIn, expectAsPeft, fixtures, poolOf, readCase } from './peftFixtures.js';
import { pooled, temporaryFolder } from './support.js';

const experts = ['first', 'second', 'third'];
const cache = temporaryFolder();
const engines: Engine[] = [];
afterAll(() => engines.forEach((engine) => engine.dispose()));

/** In chunks, so that keys and values are carried over. */
async function open(pool: string): Promise<Engine> {
  const engine = await createEngine({ pool, cache, threads: 1, chunk: 50 });
  engines.push(engine);
  return engine;
}

const poolWith = (architecture: string, general: readonly string[]) =>
  poolOf(
    architecture,
    experts,
    { general: 'general' },
    general.map((id) => `general/${id}`),
  );

describe('a pool with general adapters', () => {
  it.each(casesIn('arrow'))('agrees with PEFT: %s, %s', async (architecture, name) => {
    const wanted = readCase(path.join(fixtures, architecture, 'arrow', `${name}.safetensors`));
    const engine = await open(poolWith(architecture, wanted.general));
    const trace = await engine.route({ text: wanted.text, strategy: wanted.strategy });
    const { choices, ties } = expectAsPeft(trace, wanted, experts);
    expect(ties).toBeLessThan(0.001 * choices);
    expect(await engine.info()).toMatchObject({ general: wanted.general, warnings: [] });
  });

  it('subtracts them under every strategy, and is another pool', async () => {
    const text = 'the experts that know the text';
    const [plain, one, both] = await Promise.all(
      [[], ['one'], ['one', 'two']].map((general) =>
        open(general.length === 0 ? poolOf('llama', experts, {}, []) : poolWith('llama', general)),
      ),
    );
    for (const strategy of [{ name: 'merged' }, { name: 'merged-factors' }, { name: 'single', expert: 'second' }]) {
      const traces = await Promise.all([plain!, one!, both!].map((engine) => engine.route({ text, strategy })));
      const logProbs = traces.map((trace) => pooled(trace).logProb!.subarray(1).join());
      expect(new Set(logProbs).size, strategy.name).toBe(3);
      expect(new Set(traces.map(({ source }) => source.hash)).size).toBe(3);
    }
    const base = await Promise.all([plain!, both!].map((engine) => engine.route({ text, strategy: { name: 'base' } })));
    expect(pooled(base[0]!).logProb).toEqual(pooled(base[1]!).logProb);
  });
});

describe('a pool without gates', () => {
  it('offers what needs none, and shows Arrow’s affinities beside fixed weights', async () => {
    const engine = await open(poolOf('llama', experts, {}, []));
    const info = await engine.info();
    expect(info).toMatchObject({ strategies: ['base', 'single', 'merged', 'merged-factors', 'arrow'], warnings: [] });
    const text = 'the experts';
    const merged = await engine.route({ text, strategy: { name: 'merged' } });
    const arrow = await engine.route({ text, strategy: { name: 'arrow', k: 1 } });
    expect(merged.router.params).toEqual({ affinities: 'arrow' });
    expect(arrow.router.params).toBeUndefined();
    // The first module's input does not depend on the weights.
    const first = (trace: typeof merged) => [...pooled(trace).score!.subarray(0, 3 * pooled(trace).tokens.count)];
    expect(first(merged)).toEqual(first(arrow));
    await expect(engine.route({ text, strategy: { name: 'phatgoose', k: 2 } })).rejects.toMatchObject({
      code: 'strategy-unavailable',
    });
  });
});
