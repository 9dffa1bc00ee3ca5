/** Mixtures of experts in each exporter's form against transformers' own forward pass. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engine/api.js';
import { createEngine } from '../../src/engine/local.js';
import { asLocal } from '../../src/shared/modelInfo.js';
import { ChildSource } from '../../src/source/child.js';
import type { Trace } from '../../src/trace/trace.js';
import { type Bounds, expectMixture } from './mixtures.js';
import { goldens, largestDifference, root, temporaryFolder } from './support.js';

const fixtures = path.join(root, 'test/fixtures/moe');
const cache = temporaryFolder();
const engines: Engine[] = [];
const engineFor = async (name: string, chunk = 256) => {
  const engine = await createEngine({ pool: path.join(fixtures, name), cache, threads: 1, chunk });
  engines.push(engine);
  return engine;
};
afterAll(() => engines.forEach((engine) => engine.dispose()));

const golden = new Map(goldens('moe').map(({ name, trace }) => [name, trace]));
/** Quantised forms have goldens of their own. */
const folders = readdirSync(fixtures).filter((name) => !name.endsWith('.md'));
const forms = folders
  .map((name) => ({ name, trace: golden.get(name) ?? golden.get(name.replace(/-(?!moe|oss|v\d)[a-z]+$/, '')) }))
  .filter((form): form is { name: string; trace: Trace } => form.trace !== undefined);

const tolerance = 1e-4;

/** In float32, and of weights that are rounded alike: nothing but the order of sums apart. */
const exact: Bounds = { score: tolerance, weight: tolerance, logProb: tolerance, closeCall: 0 };

it('has a golden trace for every form', () => {
  expect(forms.map(({ name }) => name)).toEqual(folders);
});

describe('a mixture of experts', () => {
  it.each(forms)('gives what transformers gives: $name', async ({ name, trace }) => {
    const engine = await engineFor(name);
    expectMixture(await engine.route({ text: trace.sequences[0]!.text! }), trace, exact);
  });

  it.each(forms)('gives the same in chunks: $name', async ({ name, trace }) => {
    const engine = await engineFor(name, 7);
    expectMixture(await engine.route({ text: trace.sequences[0]!.text! }), trace, exact);
  });

  it.each(['mixtral-transformers', 'lfm2-moe-genai', 'deepseek-v3-optimum'])(
    'writes on as a whole run would have it: %s',
    async (name) => {
      const engine = await engineFor(name, 5);
      const written = await engine.generate({ text: 'the model', maxTokens: 6 });
      const { text, tokens, logProb } = written.sequences[0]!;
      const whole = await engine.route({ text: text! });
      expect(tokens.count).toBeGreaterThan(3);
      if (whole.sequences[0]!.tokens.count !== tokens.count) return;
      expect(largestDifference(whole.sequences[0]!.logProb!, logProb!)).toBeLessThan(tolerance);
      expect([...written.blocks[0]!.chosen]).toEqual([...whole.blocks[0]!.chosen]);
    },
  );

  it('is told with the experts of each layer, and what may be done', async () => {
    const info = asLocal(await (await engineFor('qwen2-moe-transformers')).info());
    expect(info).toMatchObject({ kind: 'moe', router: { name: 'qwen2_moe', k: 2 }, warnings: [] });
    expect(info.expertSets.map(({ scope, experts, alwaysOn }) => [scope, experts[3]?.id, alwaysOn?.[0]?.id])).toEqual([
      ['layer', '0.3', '0.shared'],
      ['layer', '1.3', '1.shared'],
    ]);
    expect(info.sites.map(({ path: name, kind }) => [name, kind])).toEqual([
      ['model.layers.0.mlp.gate', 'router'],
      ['model.layers.1.mlp.gate', 'router'],
    ]);
  });

  it('as a source offers no strategy, and heeds none', async () => {
    const engine = await engineFor('mixtral-transformers');
    const source = new ChildSource(engine);
    const { can, experts, expertSets, sites, limits } = await source.describe();
    expect(can).toMatchObject({ route: true, whatIf: true, attribute: true, strategies: [] });
    expect(experts.map(({ id }) => id)).toEqual(expertSets!.flatMap((set) => set.experts.map(({ id }) => id)));
    expect([sites?.length, limits]).toEqual([2, { tokens: 256, k: 2 }]);
    await expect(source.pool()).rejects.toMatchObject({ code: 'request-invalid' });
    const trace = await source.route({ text: 'the', strategy: { name: 'base' } });
    expect(trace.router.name).toBe('mixtral');
  });

  it('takes no strategy', async () => {
    const engine = await engineFor('mixtral-transformers');
    await expect(engine.route({ text: 'the', strategy: { name: 'phatgoose', k: 1 } })).rejects.toMatchObject({
      code: 'strategy-unavailable',
    });
  });
});
