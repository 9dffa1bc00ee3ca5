/** Mixtures of experts in the form of each exporter, compared with transformers' own forward pass. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/requests/ask.js';
import { compose, filesOf, hashOf } from '../../src/engine/families/moe/compose.js';
import { readMoeFolder } from '../../src/engine/families/moe/folder.js';
import { createEngine } from '../../src/engine/local.js';
import { Cache } from '../../src/engine/runtime/cache.js';
import { hasEightBits } from '../../src/graph/halves.js';
import { TensorProto_DataLocation } from '../../src/graph/onnx_pb.js';
import { tensorBytes } from '../../src/graph/external.js';
import { type GraphProto, type NodeProto, parseModel, writeModel } from '../../src/graph/model.js';
import { asLocal } from '../../src/requests/modelInfo.js';
import { ChildSource } from '../../src/source/child.js';
import { exact, expectMixture, fixtures, folders, forms, golden, tolerance, unexported } from './mixtures.js';
import { goldens, largestDifference, temporaryFolder } from './support.js';

const cache = temporaryFolder();
const engines: Engine[] = [];
const engineFor = async (name: string, chunk = 256) => {
  const engine = await createEngine({ pool: path.join(fixtures, name), cache, threads: 1, chunk });
  engines.push(engine);
  return engine;
};
afterAll(() => engines.forEach((engine) => engine.dispose()));

/** Every form with each other k that has a golden. */
const askedForK = goldens('moe-k').flatMap(({ name: told, trace }) => {
  const [, model, k] = /^(.*)-k(\d)$/.exec(told)! as unknown as [string, string, string];
  const own = forms.filter(({ name }) => (golden.has(name) ? name : unexported(name)) === model);
  return own.map(({ name }) => ({ name, k: Number(k), trace }));
});

/** The nodes of a graph and of its subgraphs. */
const allIn = (graph: GraphProto): NodeProto[] =>
  graph.node.flatMap((n) => [n, ...n.attribute.flatMap(({ g }) => (g ? allIn(g) : []))]);
const eightsIn = (file: string) => allIn(parseModel(readFileSync(file)).graph).filter(hasEightBits).length;

it('has a golden trace for every form', () => {
  expect(forms.map(({ name }) => name)).toEqual(folders);
});

describe('a mixture of experts', () => {
  it.each(forms)('agrees with transformers: $name', async ({ name, trace }) => {
    const engine = await engineFor(name);
    expectMixture(await engine.route({ text: trace.sequences[0]!.text! }), trace, exact);
  });

  it.each(forms)('gives the same in chunks: $name', async ({ name, trace }) => {
    const engine = await engineFor(name, 7);
    expectMixture(await engine.route({ text: trace.sequences[0]!.text! }), trace, exact);
  });

  it.each(askedForK)('agrees with transformers for k $k: $name', async ({ name, k, trace }) => {
    const engine = await engineFor(name, 7);
    const strategy = { name: 'native', k };
    expectMixture(await engine.route({ text: trace.sequences[0]!.text!, strategy }), trace, exact);
  });

  it.each(['mixtral-transformers', 'lfm2-moe-genai', 'deepseek-v3-optimum'])(
    'writes with the numbers of a run over the whole text: %s',
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

  it('is described with the experts of each layer and what it can do', async () => {
    const info = asLocal(await (await engineFor('qwen2-moe-transformers')).info());
    expect(info).toMatchObject({ kind: 'moe', router: { name: 'qwen2_moe', k: 2 }, warnings: [] });
    expect(
      info.expertSets.map(({ scope, experts, sharedExperts }) => [scope, experts[3]?.id, sharedExperts?.[0]?.id]),
    ).toEqual([
      ['layer', '0.3', '0.shared'],
      ['layer', '1.3', '1.shared'],
    ]);
    expect(info.modules.map(({ path: name, kind }) => [name, kind])).toEqual([
      ['model.layers.0.mlp.gate', 'router'],
      ['model.layers.1.mlp.gate', 'router'],
    ]);
  });

  it('as a source, offers its own router with another k, and ignores strategies', async () => {
    const engine = await engineFor('mixtral-transformers');
    const source = new ChildSource(engine);
    const { can, experts, expertSets, modules, limits } = await source.describe();
    expect(can).toMatchObject({ route: true, whatIf: true, attribute: true, k: true });
    expect(can.strategies.map(({ name, takes }) => [name, takes])).toEqual([['native', ['k']]]);
    expect(experts.map(({ id }) => id)).toEqual(expertSets!.flatMap((set) => set.experts.map(({ id }) => id)));
    expect([modules?.length, limits]).toEqual([2, { tokens: 256, k: 2, mostK: 8 }]);
    await expect(source.pool()).rejects.toMatchObject({ code: 'request-invalid' });
    const trace = await source.route({ text: 'the', strategy: { name: 'base' } });
    expect(trace.router).toMatchObject({ name: 'mixtral', k: 2 });
    const wider = await source.route({ text: 'the', strategy: { name: 'native', k: 5 } });
    expect(wider.router).toMatchObject({ name: 'mixtral', k: 5 });
    const all = await source.route({ text: 'the', strategy: { name: 'native', k: 100 } });
    expect(all.blocks.map(({ k }) => k)).toEqual([8]);
  });

  it('says why it cannot use another k, and refuses one', async () => {
    const engine = await engineFor('phimoe-transformers');
    const { can } = await new ChildSource(engine).describe();
    expect(can.strategies).toEqual([]);
    expect(can.k).toEqual({ reason: expect.stringContaining('is fixed in') as string });
    await expect(engine.route({ text: 'the', strategy: { name: 'native', k: 1 } })).rejects.toMatchObject({
      code: 'request-invalid',
    });
    expect((await engine.route({ text: 'the', strategy: { name: 'native', k: 2 } })).router.k).toBe(2);
  });

  it('that chooses within groups refuses a larger k, which the groups may not hold, with a reason', async () => {
    const engine = await engineFor('deepseek-v3-transformers');
    expect((await new ChildSource(engine).describe()).limits).toMatchObject({ k: 3, mostK: 3 });
    await expect(engine.route({ text: 'the', strategy: { name: 'native', k: 6 } })).rejects.toMatchObject({
      code: 'request-invalid',
      message: expect.stringMatching(/no more than 3 for a token, not 6/) as string,
    });
  });

  it('with all experts in one group takes any k', async () => {
    const engine = await engineFor('glm4-moe-transformers');
    expect((await new ChildSource(engine).describe()).limits).toMatchObject({ k: 3, mostK: 8 });
    const trace = await engine.route({ text: 'the', strategy: { name: 'native', k: 8 } });
    expect(trace.blocks.map(({ k }) => k)).toEqual([8]);
  });

  it('gives the same if an export stores gate and values of QMoE separately', async () => {
    const name = 'lfm2-moe-genai-int4';
    const folder = path.join(temporaryFolder(), name);
    cpSync(path.join(fixtures, name), folder, { recursive: true });
    const file = path.join(folder, 'model.onnx');
    const model = parseModel(readFileSync(file));
    const holders = model.graph.node.filter(({ opType }) => opType === 'QMoE');
    for (const holder of holders) {
      for (const input of [2, 3, 4]) {
        const tensor = model.graph.initializer.find((one) => one.name === holder.input[input])!;
        const bytes = tensorBytes(folder, tensor);
        const [experts, rows] = tensor.dims.map(Number) as [number, number];
        const width = bytes.length / experts / rows;
        const row = (i: number) => bytes.subarray(i * width, (i + 1) * width);
        const own = (e: number, odd: number) => Array.from({ length: rows / 2 }, (_, i) => row(e * rows + 2 * i + odd));
        const all = Array.from({ length: experts }, (_, e) => [...own(e, 0), ...own(e, 1)]).flat();
        tensor.dataLocation = TensorProto_DataLocation.DEFAULT;
        tensor.externalData = [];
        tensor.rawData = Uint8Array.from(all.flatMap((one) => [...one]));
      }
      holder.attribute.find((one) => one.name === 'swiglu_fusion')!.i = 2n;
    }
    expect(holders).toHaveLength(2);
    writeFileSync(file, writeModel(model));
    const engine = await createEngine({ pool: folder, cache, threads: 1, chunk: 7 });
    engines.push(engine);
    const wanted = golden.get(name)!;
    expectMixture(await engine.route({ text: wanted.sequences[0]!.text! }), wanted, exact);
  });

  it('has no head that onnxruntime would unpack in full for every token', () => {
    const folder = readMoeFolder(path.join(fixtures, 'mixtral-transformers-int4'));
    const kept = new Cache(temporaryFolder());
    const files = filesOf(folder, kept);
    const { model } = compose(
      folder,
      files,
      hashOf(folder, files, (file) => kept.hash(file)),
      kept,
    );
    expect(eightsIn(folder.model)).toBe(1);
    expect(eightsIn(model)).toBe(0);
  });

  it('takes no strategy', async () => {
    const engine = await engineFor('mixtral-transformers');
    await expect(engine.route({ text: 'the', strategy: { name: 'phatgoose', k: 1 } })).rejects.toMatchObject({
      code: 'strategy-unavailable',
    });
  });
});
