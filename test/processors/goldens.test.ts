/** The goldens of the tiny models on another processor, with the same tolerances as on this one. */
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/requests/ask.js';
import { createEngine } from '../../src/engine/local.js';
import { strategyOfRouter } from '../../src/strategies/index.js';
import { exact as near, expectMixture, fixtures, forms } from '../engine/mixtures.js';
import { expectAlike, target, text } from '../engine/pairs.js';
import { expectLike, goldens, root, temporaryFolder, tinyPool } from '../engine/support.js';
import { asked, exact, requestOf } from '../engine/tiny.js';

const cache = temporaryFolder();
const engines = new Map<string, Promise<Engine>>();
const engineFor = (pool: string) => {
  const engine = engines.get(pool) ?? createEngine({ pool, cache, threads: 1, chunk: 256 });
  engines.set(pool, engine);
  return engine;
};
afterAll(async () => {
  for (const engine of engines.values()) (await engine).dispose();
});

describe('the tiny pool', () => {
  it.each(asked)('$name', async ({ trace: golden }) => {
    const trace = await (await engineFor(tinyPool)).route(requestOf(golden));
    expect(trace.router).toEqual(golden.router);
    expectLike(trace, golden, exact);
  });
});

describe('the tiny T5', () => {
  it.each(goldens('tiny-t5'))('$name', async ({ name, trace: golden }) => {
    const engine = await engineFor(path.join(root, 'test/fixtures/tiny-t5'));
    const strategy = strategyOfRouter(golden.router);
    const output = name.endsWith('-generated') ? { maxTokens: 19 } : { target };
    expectAlike(await engine.route({ text, strategy, interventions: golden.interventions, ...output }), golden);
  });
});

describe('a mixture', () => {
  it.each(forms)('$name', async ({ name, trace: golden }) => {
    const engine = await engineFor(path.join(fixtures, name));
    expectMixture(await engine.route({ text: golden.sequences[0]!.text! }), golden, near);
  });
});
