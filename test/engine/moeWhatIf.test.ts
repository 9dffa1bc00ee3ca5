/** What-ifs on a mixture's routers, in each form of router that exporters write. */
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/requests/ask.js';
import { createEngine } from '../../src/engine/local.js';
import { expertLayers } from '../../src/explorer/layerExperts.js';
import { layersOf, rowsAt, sharedModules } from '../../src/trace/model/access.js';
import { layerText } from '../../src/trace/text/label.js';
import { scopeOf, shownExpertsOf } from '../../src/trace/model/shownExperts.js';
import type { Intervention, Scope, Trace } from '../../src/trace/model/trace.js';
import { goldens, largestDifference, root, temporaryFolder } from './support.js';

const fixtures = path.join(root, 'test/fixtures/moe');
const cache = temporaryFolder();
const engines = new Map<string, Promise<Engine>>();
const engineFor = (name: string) => {
  const engine = engines.get(name) ?? createEngine({ pool: path.join(fixtures, name), cache, threads: 1, chunk: 4 });
  engines.set(name, engine);
  return engine;
};
afterAll(async () => {
  for (const engine of engines.values()) (await engine).dispose();
});

const text = 'the model of a goose';
const forms = [
  'mixtral-transformers',
  'olmoe-transformers',
  'deepseek-v3-optimum',
  'lfm2-moe-genai',
  'lfm2-moe-genai-int4',
  'gpt-oss-genai',
  'qwen3-moe-optimum',
  'phimoe-transformers',
];

const run = async (name: string, ...interventions: Intervention[]) =>
  (await engineFor(name)).route({ text, interventions });

/** The experts that module s chose for token t, by number. */
function chosen(trace: Trace, s: number, t: number): number[] {
  const { chosen: all, k } = rowsAt(trace, s);
  return [...all.subarray(t * k, (t + 1) * k)];
}

/** The first choice of a module for a token. */
const favourite = (trace: Trace, s: number, t: number) => trace.expertSets[s]!.experts[chosen(trace, s, t)[0]!]!.id;

const change = (action: 'knock-out' | 'force', expert: string, scope: Scope = {}): Intervention => ({
  action,
  expert,
  scope,
});

describe.each(forms)('%s', (name) => {
  it('never chooses a knocked-out expert, and changes nothing before its layer', async () => {
    const before = await run(name);
    const last = before.modules.length - 1;
    const id = favourite(before, last, 3);
    const after = await run(name, change('knock-out', id));
    const e = Number(id.split('.')[1]);
    for (let t = 0; t < after.sequences[0]!.done; t++) expect(chosen(after, last, t)).not.toContain(e);
    expect([...rowsAt(after, 0).chosen]).toEqual([...rowsAt(before, 0).chosen]);
    expect([...rowsAt(after, last).score!]).toEqual([...rowsAt(before, last).score!]);
    expect(after.interventions).toHaveLength(1);
  });

  it('chooses only the forced expert, with all the weight', async () => {
    const before = await run(name);
    const id = before.expertSets[0]!.experts[5]!.id;
    const after = await run(name, change('force', id, { token: 3 }));
    const [rows, old] = [rowsAt(after, 0), rowsAt(before, 0)];
    expect(chosen(after, 0, 3)).toEqual([5, ...new Array<number>(rows.k - 1).fill(-1)]);
    const weights = [...rows.weight!.subarray(3 * rows.k, 4 * rows.k)];
    expect(weights[0]).toBeGreaterThan(0);
    expect(weights.slice(1).every((w) => w === 0)).toBe(true);
    // Normalised weights stay normalised.
    const total = old.weight!.subarray(3 * old.k, 4 * old.k).reduce((sum, w) => sum + w, 0);
    if (Math.abs(total - 1) < 1e-4) expect(weights[0]).toBeCloseTo(1, 5);
    expect(chosen(after, 0, 2)).toEqual(chosen(before, 0, 2));
    expect(after.sequences[0]!.logProb![4]).not.toBe(before.sequences[0]!.logProb![4]);
    // Except for rounding: an expert may add up a token's terms in another order if it processes other tokens with it.
    expect(Math.abs(after.sequences[0]!.logProb![3]! - before.sequences[0]!.logProb![3]!)).toBeLessThan(1e-5);
  });

  it('chooses an expert with a large enough logit bias, and shows its score without it', async () => {
    const before = await run(name);
    const id = before.expertSets[0]!.experts[2]!.id;
    const after = await run(name, { action: 'logit-bias', expert: id, amount: 100, scope: {} });
    const [rows, old] = [rowsAt(after, 0), rowsAt(before, 0)];
    for (let t = 0; t < rows.tokens; t++) {
      // σ is at most 1: other experts, or groups, may still be above it.
      if (!rows.selection) expect(chosen(after, 0, t)).toContain(2);
      else expect(rows.selection[t * 8 + 2]).toBeGreaterThanOrEqual(old.selection![t * 8 + 2]!);
    }
    expect([...rowsAt(after, 0).score!]).toEqual([...rowsAt(before, 0).score!]);
  });

  it('follows the last intervention', async () => {
    const before = await run(name);
    const id = favourite(before, 0, 1);
    const after = await run(name, change('knock-out', id), { action: 'logit-bias', expert: id, amount: 0, scope: {} });
    expect([...rowsAt(after, 0).chosen]).toEqual([...rowsAt(before, 0).chosen]);
  });
});

describe('an expert of FlexOlmo, opted out', () => {
  const { name: told, trace: wanted } = goldens('moe-opted-out')[0]!;
  const expert = Number(told.split('-').at(-1));

  it('by a knock-out gives what transformers gives without its row in the routers', async () => {
    const engine = await engineFor('flex-olmo-transformers');
    const asked = wanted.sequences[0]!.text!;
    const [plain, got] = [
      await engine.route({ text: asked }),
      await engine.route({
        text: asked,
        interventions: wanted.modules.map(({ layer }) => change('knock-out', `${layer}.${expert}`)),
      }),
    ];
    expect([...plain.blocks[0]!.chosen].filter((e) => e === expert).length).toBeGreaterThan(5);
    const [own, other] = [got.blocks[0]!, wanted.blocks[0]!];
    // Without the row, later experts have the number before theirs.
    expect([...own.chosen]).toEqual([...other.chosen].map((e) => (e < expert ? e : e + 1)));
    expect(largestDifference(own.weight!, other.weight!)).toBeLessThan(1e-5);
    expect(
      largestDifference(
        own.score!.filter((_, i) => i % own.experts !== expert),
        other.score!,
      ),
    ).toBeLessThan(1e-5);
    expect(largestDifference(got.sequences[0]!.logProb!, wanted.sequences[0]!.logProb!)).toBeLessThan(1e-5);
    expect(largestDifference(got.sequences[0]!.logProb!, plain.sequences[0]!.logProb!)).toBeGreaterThan(0.01);
  });
});

describe('a layer with two routers', () => {
  const name = 'jetmoe-transformers';
  /** The two modules of layer 1. */
  const [attention, mlp] = [2, 3];

  it('has separate experts for each, with different names', async () => {
    const { modules, expertSets } = await run(name);
    expect(modules.map(({ layer, kind }) => `${layer} ${kind}`)).toEqual([
      '0 self_attention',
      '0 mlp',
      '1 self_attention',
      '1 mlp',
    ]);
    expect(expertSets.map(({ experts }) => experts[4])).toEqual([
      { id: '0.self_attention.4', name: 'Layer 0 self_attention expert 4' },
      { id: '0.mlp.4', name: 'Layer 0 mlp expert 4' },
      { id: '1.self_attention.4', name: 'Layer 1 self_attention expert 4' },
      { id: '1.mlp.4', name: 'Layer 1 mlp expert 4' },
    ]);
  });

  it('is changed only at the one that is named', async () => {
    const before = await run(name);
    const id = favourite(before, mlp, 3);
    expect(id).toMatch(/^1\.mlp\.\d$/);
    const after = await run(name, change('knock-out', id));
    const e = Number(id.split('.')[2]);
    for (let t = 0; t < after.sequences[0]!.done; t++) expect(chosen(after, mlp, t)).not.toContain(e);
    for (const module of [0, 1, attention]) {
      expect([...rowsAt(after, module).chosen]).toEqual([...rowsAt(before, module).chosen]);
      expect([...rowsAt(after, module).weight!]).toEqual([...rowsAt(before, module).weight!]);
    }
    const forced = await run(name, change('force', '1.self_attention.4'));
    expect(chosen(forced, attention, 2)).toEqual([4, -1]);
    expect(chosen(forced, mlp, 2)).not.toContain(-1);
  });

  it('is not changed by a name that could mean either', async () => {
    await expect(run(name, change('knock-out', '1.4'))).rejects.toMatchObject({
      code: 'request-invalid',
      remedy: 'Say "1.self_attention.4" or "1.mlp.4".',
    });
  });

  it('is shown as two layers, each with its experts', async () => {
    const trace = await run(name);
    const layers = layersOf(trace);
    expect(layers.map(layerText)).toEqual(['0 self_attention', '0 mlp', '1 self_attention', '1 mlp']);
    expect(shownExpertsOf(trace, '1 mlp')).toMatchObject({
      layer: { layer: 1, router: 'mlp' },
      set: trace.expertSets[mlp],
    });
    expect(layers.map((layer) => sharedModules(trace, { ...layer, sequence: 0 })?.set)).toEqual(trace.expertSets);
    expect(expertLayers(trace)).toHaveLength(4);
    expect(layers.map(scopeOf)[1]).toEqual({ layer: 0, kind: 'mlp' });
    const scoped = await run(name, change('knock-out', favourite(trace, attention, 3), scopeOf(layers[attention]!)));
    expect(chosen(scoped, attention, 3)).not.toEqual(chosen(trace, attention, 3));
  });
});

describe('what is refused', () => {
  it('an expert that no layer has', async () => {
    await expect(run('mixtral-transformers', change('force', '7.0'))).rejects.toMatchObject({
      code: 'request-invalid',
      remedy: expect.stringContaining('"0.0"') as string,
    });
  });

  it('a layer with no expert left', async () => {
    const all = Array.from({ length: 8 }, (_, e) => change('knock-out', `1.${e}`));
    await expect(run('mixtral-transformers', ...all)).rejects.toMatchObject({ code: 'request-invalid' });
  });
});

describe('attribution', () => {
  const name = 'mixtral-transformers';

  it('covers the experts that a layer chose most, and equals knocking each out', async () => {
    const before = await run(name);
    const engine = await engineFor(name);
    const { experts, change: changes, logProb } = await engine.attribute({ text, layer: 1, most: 3 });
    expect(experts).toHaveLength(3);
    expect(experts.every(({ id }) => id.startsWith('1.'))).toBe(true);
    expect([...logProb]).toEqual([...before.sequences[0]!.logProb!]);
    const without = await run(name, change('knock-out', experts[1]!.id));
    const wanted = without.sequences[0]!.logProb!.map((x, t) => x - logProb[t]!);
    expect([...wanted]).toEqual([...changes.filter((_, i) => i % 3 === 1)]);
  });

  it('covers the most chosen experts of all layers if no layer is named', async () => {
    const { experts } = await (await engineFor(name)).attribute({ text });
    expect(new Set(experts.map(({ id }) => id.split('.')[0]))).toEqual(new Set(['0', '1']));
    expect(experts.length).toBeLessThanOrEqual(16);
  });

  it('needs at least one', async () => {
    await expect((await engineFor(name)).attribute({ text, most: 0 })).rejects.toMatchObject({
      code: 'request-invalid',
    });
  });
});

it('a text is scored', async () => {
  const { bits, bytes, tokens } = await (await engineFor('olmoe-transformers')).score({ text });
  const trace = await run('olmoe-transformers');
  const logProbs = trace.sequences[0]!.logProb!.slice(1);
  expect(tokens).toBe(logProbs.length);
  expect(bits).toBeCloseTo(-logProbs.reduce((sum, x) => sum + x, 0) / Math.LN2, 3);
  expect(bytes).toBe(text.length);
});
