/** Folders as people have them, and broken ones: each of these gets one clear line. */
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/requests/ask.js';
import { createEngine } from '../../src/engine/local.js';
import { asLocal } from '../../src/requests/modelInfo.js';
import { type NodeProto, parseModel, setInternal, writeModel } from '../../src/graph/model.js';
import { findRouters } from '../../src/graph/moe/routers.js';
import { integerOf, walkOf } from '../../src/graph/walk.js';
import { changed, fixtures } from './mixtureVariants.js';
import { copyOfTinyPool, root, temporaryFolder, tinyPool } from './support.js';

const fixture = path.join(root, 'test/fixtures/moe/mixtral-transformers');
const cache = temporaryFolder();
const engines: Engine[] = [];
const engineFor = async (folder: string) => {
  const engine = await createEngine({ pool: folder, cache, threads: 1, chunk: 64 });
  engines.push(engine);
  return engine;
};
afterAll(() => engines.forEach((engine) => engine.dispose()));

function copy(change: (file: (name: string) => string) => void): string {
  const folder = path.join(temporaryFolder(), 'a-model');
  cpSync(fixture, folder, { recursive: true });
  change((name) => path.join(folder, name));
  return folder;
}

function edit(file: string, change: (json: Record<string, unknown>) => void): void {
  const json = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  change(json);
  writeFileSync(file, JSON.stringify(json));
}

/** The weights of one layer's router, in the model's file. */
function withRouter(file: string, values: (count: number) => Float32Array): void {
  const model = parseModel(readFileSync(file));
  const tensor = model.graph.initializer.find(({ name }) => name.endsWith('layers.1.mlp.gate.weight'))!;
  setInternal(tensor, values(Number(tensor.dims.reduce((product, d) => product * d, 1n))));
  writeFileSync(file, writeModel(model));
}

const text = 'the model';
const routed = async (folder: string) => (await engineFor(folder)).route({ text });

describe('a folder', () => {
  it('in the layout of onnx-community is read', async () => {
    const folder = copy((file) => {
      mkdirSync(file('onnx'));
      for (const name of ['model.onnx', 'model.onnx.data']) renameSync(file(name), file(`onnx/${name}`));
    });
    expect((await routed(folder)).source).toMatchObject({ kind: 'moe', name: 'a-model' });
    expect((await routed(path.join(folder, 'onnx/model.onnx'))).source.name).toBe('a-model');
  });

  it('with the file that genai_config.json names is read, even without a config.json', async () => {
    const folder = copy((file) => {
      renameSync(file('model.onnx'), file('decoder.onnx'));
      rmSync(file('config.json'));
      const model = { type: 'mixtral', context_length: 99, eos_token_id: 0, decoder: { filename: 'decoder.onnx' } };
      writeFileSync(file('genai_config.json'), JSON.stringify({ model }));
    });
    const engine = await engineFor(folder);
    expect(await engine.info()).toMatchObject({ router: { name: 'mixtral' }, contextLength: 99, warnings: [] });
  });

  it('whose model needs its own code is read, and none of that code is run', async () => {
    const folder = copy((file) =>
      edit(file('config.json'), (json) => {
        json['auto_map'] = { AutoModelForCausalLM: 'modeling_own.OwnForCausalLM' };
      }),
    );
    expect((await (await engineFor(folder)).info()).warnings.map(({ code }) => code)).toEqual(['code-unused']);
  });

  it('has the name in its card, even after a change, or else that of its folder', async () => {
    const card = (name: string) => `---\nname: '${name}'\nlicense: mit\n---\n\n# Something else\n`;
    const folder = copy((file) => writeFileSync(file('README.md'), card('Gosling: small')));
    const engine = await engineFor(folder);
    const { name, hash } = asLocal(await engine.info());
    expect(name).toBe('Gosling: small');
    expect((await engine.route({ text })).source.name).toBe('Gosling: small');
    writeFileSync(path.join(folder, 'README.md'), card('Another name'));
    expect(await engine.info()).toMatchObject({ name: 'Another name', hash });
    writeFileSync(path.join(folder, 'README.md'), '# No front matter\n');
    expect((await engine.info()).name).toBe('a-model');
    rmSync(path.join(folder, 'README.md'));
    mkdirSync(path.join(folder, 'README.md'));
    expect((await engine.info()).name).toBe('a-model');
    rmSync(path.join(folder, 'README.md'), { recursive: true });
    expect((await engine.info()).name).toBe('a-model');
    writeFileSync(path.join(folder, 'README.md'), card('At last'));
    expect((await engine.info()).name).toBe('At last');
  });

  it('that changes is read again', async () => {
    const folder = copy(() => undefined);
    const engine = await engineFor(folder);
    const before = await engine.route({ text });
    withRouter(path.join(folder, 'model.onnx'), (count) => Float32Array.from({ length: count }, (_, i) => (i % 7) - 3));
    const after = await engine.route({ text });
    expect(after.source.hash).not.toBe(before.source.hash);
    expect([...after.blocks[0]!.score!]).not.toEqual([...before.blocks[0]!.score!]);
  });

  it.each<[string, string, RegExp, (file: (name: string) => string) => void]>([
    ['no config.json', 'model-invalid', /no config\.json/, (file) => rmSync(file('config.json'))],
    ['no model', 'model-missing', /no ONNX model/, (file) => rmSync(file('model.onnx'))],
    ['no tokenizer', 'model-invalid', /no tokenizer\.json/, (file) => rmSync(file('tokenizer.json'))],
    ['a config.json that is not JSON', 'pool-invalid', /not JSON/, (file) => writeFileSync(file('config.json'), '{')],
    [
      'a config.json of another kind',
      'model-invalid',
      /config\.json: .*num_local_experts/,
      (file) => edit(file('config.json'), (json) => (json['num_local_experts'] = 'eight')),
    ],
    [
      'another number of experts than the configuration says',
      'model-invalid',
      /says 16 experts, but model\.layers\.0\.mlp\.gate chooses among 8/,
      (file) => edit(file('config.json'), (json) => (json['num_local_experts'] = 16)),
    ],
    [
      'another number of experts a token than the graph’s',
      'model-invalid',
      /sends each token to 4 experts .*, but model\.layers\.0\.mlp\.gate to 2/,
      (file) => edit(file('config.json'), (json) => (json['num_experts_per_tok'] = 4)),
    ],
    [
      'another number of layers than the graph’s',
      'model-invalid',
      /says 3 layers .*, but the graph has 2/,
      (file) => edit(file('config.json'), (json) => (json['num_hidden_layers'] = 3)),
    ],
    [
      'numbers that are none in a router',
      'base-invalid',
      /not finite \(score at model\.layers\.1\.mlp\.gate\)/,
      (file) => withRouter(file('model.onnx'), (count) => new Float32Array(count).fill(NaN)),
    ],
    ['no data beside the model', 'pool-invalid', /model\.onnx\.data/, (file) => rmSync(file('model.onnx.data'))],
    [
      'data that is cut off',
      'base-invalid',
      /does not have the place or the size/,
      (file) => writeFileSync(file('model.onnx.data'), 'short'),
    ],
    [
      'a file that is not a model',
      'base-invalid',
      /not an ONNX file/,
      (file) => writeFileSync(file('model.onnx'), 'none'),
    ],
    [
      'a tokenizer that leads elsewhere',
      'pool-unsafe-path',
      /leads out of its folder/,
      (file) => {
        rmSync(file('tokenizer.json'));
        symlinkSync(path.join(fixture, 'tokenizer.json'), file('tokenizer.json'));
      },
    ],
  ])('with %s is refused with a reason', async (_, code, message, change) => {
    await expect(routed(copy(change))).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
      remedy: expect.stringMatching(/\.$/) as string,
    });
  });
});

describe('a configuration that contradicts its graph', () => {
  const warned = async (change: (json: Record<string, unknown>) => void) => {
    const folder = copy((file) => edit(file('config.json'), change));
    return (await (await engineFor(folder)).info()).warnings.map(({ code, text }) => `${code}: ${text}`);
  };

  it('about weights gives a warning', async () => {
    expect(await warned((json) => (json['norm_topk_prob'] = true))).toEqual([]);
    expect(await warned((json) => (json['norm_topk_prob'] = false))).toEqual([
      expect.stringMatching(/^config-contradicted: .*norm_topk_prob false, but model\.layers\.0\.mlp\.gate normalises/),
    ]);
  });

  it('about scores gives a warning', async () => {
    expect(await warned((json) => (json['scoring_func'] = 'softmax'))).toEqual([]);
    expect(await warned((json) => (json['scoring_func'] = 'sigmoid'))).toEqual([
      expect.stringMatching(/^config-contradicted: .*scoring_func sigmoid, but .* uses softmax/),
    ]);
  });
});

it.each(['deepseek-v3-optimum', 'qwen3-moe-optimum'])(
  'a graph that never reaches an expert is refused: %s',
  async (name) => {
    const folder = changed(path.join(fixtures, name), (graph) => {
      const walk = walkOf(graph);
      const router = findRouters(graph).at(-1)!;
      const hot = graph.node.find(({ opType, input }) => opType === 'OneHot' && input[0] === router.chosen)!;
      const isOf = (e: number) => (n: NodeProto) =>
        n.opType === 'Gather' &&
        walk.producers.get(n.input[0]!)?.input[0] === hot.output[0] &&
        integerOf(walk, n.input[1]) === e;
      const gather = graph.node.find(isOf(5))!;
      // As if the exporter's example had never reached this expert: nothing in the graph asks for it.
      gather.input[1] = graph.node.find(isOf(4))!.input[1]!;
    });
    await expect(routed(folder)).rejects.toMatchObject({
      code: 'model-invalid',
      message: expect.stringMatching(/chooses among 8 experts, but the graph has no way to 5:/) as string,
    });
  },
);

it('a dense model has no router', async () => {
  const folder = path.join(temporaryFolder(), 'dense');
  cpSync(path.join(tinyPool, 'base'), folder, { recursive: true });
  await expect(routed(folder)).rejects.toMatchObject({
    code: 'model-unrouted',
    message: expect.stringMatching(/no router/) as string,
  });
});

it('a pool is a pool, whatever else is in its folder', async () => {
  const pool = copyOfTinyPool();
  writeFileSync(path.join(pool, 'config.json'), '{}');
  expect((await (await engineFor(pool)).info()).kind).toBe('pool');
});

it('a folder of neither kind is refused as not a pool', async () => {
  await expect((await engineFor(temporaryFolder())).info()).rejects.toMatchObject({ code: 'pool-missing' });
});

it.each([
  [{ base_model_name_or_path: 'allenai/OLMoE-1B-7B-0924' }, 'allenai/OLMoE-1B-7B-0924'],
  [{ base_model_name_or_path: null }, 'another model'],
  [{ base_model_name_or_path: 7 }, 'another model'],
  [[], 'another model'],
])(
  'an adapter is said to be one, with its base and the command that makes a model of both: %j',
  async (config, base) => {
    const folder = temporaryFolder();
    writeFileSync(path.join(folder, 'adapter_config.json'), JSON.stringify(config));
    await expect((await engineFor(folder)).info()).rejects.toMatchObject({
      code: 'pool-missing',
      message: `${folder} is a PEFT adapter for ${base}, not a model.`,
      remedy: expect.stringContaining('gander-training export-moe BASE OUT --adapter ADAPTER') as string,
    });
  },
);

it.each([
  ['alone', []],
  ['with the configuration of its base', ['config.json']],
  ['with its base', ['config.json', 'model.onnx', 'tokenizer.json']],
])('an X-LoRA model is said to be one, with the command that makes a pool of it: %s', async (_, beside) => {
  const folder = temporaryFolder();
  const from = path.join(root, 'test/fixtures/peft/llama');
  cpSync(path.join(from, 'xlora/plain'), folder, { recursive: true });
  for (const name of beside) cpSync(path.join(from, 'base', name), path.join(folder, name));
  await expect((await engineFor(folder)).info()).rejects.toMatchObject({
    code: 'pool-missing',
    message: `${folder} is an X-LoRA model of PEFT, which cannot be opened as it is: only PEFT knows the order of the modules that it scales.`,
    remedy: expect.stringContaining(`gander-training import-xlora "${folder}" --base BASE --out POOL`) as string,
  });
});
