/** Which of a pool's experts are placed in the base, and the warnings about the rest. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { PoolInfo } from '../../src/requests/api.js';
import type { Engine } from '../../src/requests/ask.js';
import { createEngine } from '../../src/engine/local.js';
import { processor } from '../../src/engine/runtime/session.js';
import { node, parseModel, writeModel } from '../../src/graph/model.js';
import { random as seeded } from '../../src/statistics/random.js';
import { encodeSafetensors } from '../../src/formats/safetensors.js';
import { asPool } from '../../src/requests/modelInfo.js';
import { copyOfTinyPool, largestDifference, root, temporaryFolder, pooled } from './support.js';

const text = 'the model routes each token';
const cache = temporaryFolder();
const engines: Engine[] = [];
const engineFor = async (pool: string) => {
  const engine = await createEngine({ pool, cache, threads: 1, chunk: 256 });
  engines.push(engine);
  return engine;
};
afterAll(() => engines.forEach((engine) => engine.dispose()));

const textsOf = ({ warnings }: Pick<PoolInfo, 'warnings'>) => warnings.map(({ text: told }) => told);

const rank = 2;
type Matrices = Record<string, { readonly a: Float32Array; readonly b: Float32Array; readonly dIn: number }>;
const draw = (seed: number) => {
  const random = seeded(seed);
  return (size: number) => Float32Array.from({ length: size }, () => random() - 0.5);
};
const matrices = (sizes: Record<string, readonly [number, number]>, seed = 1): Matrices => {
  const numbers = draw(seed);
  return Object.fromEntries(
    Object.entries(sizes).map(([module, [dIn, dOut]]) => [
      module,
      { a: numbers(rank * dIn), b: numbers(dOut * rank), dIn },
    ]),
  );
};

interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** An expert with these matrices, and a gate at each module. */
function writeExpert(pool: string, id: string, modules: Matrices, more: readonly Tensor[] = []): void {
  const folder = path.join(pool, 'experts', id);
  mkdirSync(folder);
  const save = (file: string, tensors: readonly Tensor[]) =>
    writeFileSync(
      path.join(folder, file),
      encodeSafetensors(
        tensors.map((tensor) => ({ ...tensor, dtype: 'F32' as const })),
        {},
      ),
    );
  writeFileSync(
    path.join(folder, 'adapter_config.json'),
    JSON.stringify({ peft_type: 'LORA', r: rank, lora_alpha: 4, init_lora_weights: true }),
  );
  const pairs = Object.entries(modules).flatMap(([module, { a, b, dIn }]) => [
    { name: `base_model.model.${module}.lora_A.weight`, shape: [rank, dIn], data: a },
    { name: `base_model.model.${module}.lora_B.weight`, shape: [b.length / rank, rank], data: b },
  ]);
  save('adapter_model.safetensors', [...pairs, ...more]);
  save(
    'gate.safetensors',
    Object.entries(modules).map(([name, { dIn }]) => ({ name, shape: [dIn], data: draw(7)(dIn) })),
  );
}

const withBase = (pool: string, base: string) =>
  cpSync(path.join(root, 'test/fixtures/bases', base), path.join(pool, 'base'), { recursive: true });

describe('an expert', () => {
  it('with some modules that the base lacks runs, with a warning that counts them', async () => {
    const pool = copyOfTinyPool();
    writeExpert(
      pool,
      'part',
      matrices({
        'model.layers.0.self_attn.q_proj': [32, 32],
        'model.layers.0.block.w1': [32, 32],
        'model.layers.7.mlp.up_proj': [32, 64],
      }),
    );
    const engine = await engineFor(pool);
    expect(textsOf(await engine.info())).toEqual([
      expect.stringMatching(
        /^Expert "part": 1 of 3 modules were placed, .*; model\.layers\.0\.block\.w1 \(and 1 more\) was not: looked for/,
      ),
    ]);
    expect(pooled(await engine.route({ text, strategy: { name: 'single', expert: 'part' } })).done).toBeGreaterThan(5);
  });

  it('with no module in the base is left out, and a request for it is refused with the reason', async () => {
    const pool = copyOfTinyPool();
    writeExpert(pool, 'foreign', matrices({ 'transformer.h.0.attn.c_attn': [32, 96] }));
    const engine = await engineFor(pool);
    const { warnings, experts } = asPool(await engine.info());
    expect(experts.map(({ id }) => id)).not.toContain('foreign');
    expect(textsOf({ warnings })).toEqual([
      expect.stringMatching(/^Expert "foreign" is left out: none of its modules \(1\) can be placed in the base/),
    ]);
    const told = { code: 'module-not-placed', message: expect.stringMatching(/"foreign" is left out/) as string };
    await expect(engine.route({ text, strategy: { name: 'single', expert: 'foreign' } })).rejects.toMatchObject(told);
    const knockOut = [{ action: 'knock-out', expert: 'foreign', scope: {} }] as const;
    const asked = { text, strategy: { name: 'merged' }, interventions: knockOut } as const;
    await expect(engine.route(asked)).rejects.toMatchObject(told);
    expect(pooled(await engine.route({ text, strategy: { name: 'merged' } })).done).toBeGreaterThan(5);
  });

  it('of another base is left out with a reason', async () => {
    const pool = copyOfTinyPool();
    writeExpert(pool, 'large', matrices({ 'model.layers.0.self_attn.q_proj': [64, 32] }));
    const engine = await engineFor(pool);
    await expect(engine.route({ text, strategy: { name: 'single', expert: 'large' } })).rejects.toMatchObject({
      code: 'expert-invalid',
      message: expect.stringMatching(
        /made for another base model: at .*q_proj it maps 64 to 32 where this one has 32 to 32/,
      ) as string,
    });
  });

  it('refused when the pool was read is refused with that reason when asked for', async () => {
    const pool = copyOfTinyPool();
    const file = path.join(pool, 'experts/alpha/adapter_config.json');
    const config = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...config, init_lora_weights: 'pissa' }));
    const engine = await engineFor(pool);
    await expect(engine.route({ text, strategy: { name: 'single', expert: 'alpha' } })).rejects.toMatchObject({
      code: 'expert-invalid',
      message: expect.stringMatching(/PiSSA changes the base/) as string,
      remedy: expect.stringMatching(/path_initial_model_for_weight_conversion/) as string,
    });
  });
});

it('a multitask adapter with no module in the base is refused, instead of running the base', async () => {
  const pool = copyOfTinyPool();
  rmSync(path.join(pool, 'multitask'), { recursive: true });
  writeExpert(pool, 'multi', matrices({ 'transformer.h.0.attn.c_attn': [32, 96] }));
  cpSync(path.join(pool, 'experts/multi'), path.join(pool, 'multitask'), { recursive: true });
  rmSync(path.join(pool, 'experts/multi'), { recursive: true });
  const engine = await engineFor(pool);
  await expect(engine.route({ text, strategy: { name: 'multitask' } })).rejects.toMatchObject({
    code: 'module-not-placed',
    message: expect.stringMatching(/^The multitask adapter is left out/) as string,
  });
});

describe('a packed projection', () => {
  const layers = [0, 1].map((layer) => `model.layers.${layer}.self_attn`);
  const whole = matrices(Object.fromEntries(layers.map((layer) => [`${layer}.qkv_proj`, [32, 64] as const])));
  /** The same change, split into q, k and v. */
  const parts: Matrices = Object.fromEntries(
    layers.flatMap((layer) => {
      const { a, b, dIn } = whole[`${layer}.qkv_proj`]!;
      const cut = (from: number, to: number) => ({ a, b: b.slice(from * rank, to * rank), dIn });
      return [
        [`${layer}.q_proj`, cut(0, 32)],
        [`${layer}.k_proj`, cut(32, 48)],
        [`${layer}.v_proj`, cut(48, 64)],
      ];
    }),
  );
  const route = async (base: string | undefined, modules: Matrices) => {
    const pool = copyOfTinyPool();
    if (base) withBase(pool, base);
    rmSync(path.join(pool, 'experts'), { recursive: true });
    mkdirSync(path.join(pool, 'experts'));
    writeExpert(pool, 'one', modules);
    const engine = await engineFor(pool);
    expect((await engine.info()).warnings).toEqual([]);
    return engine.route({ text, strategy: { name: 'single', expert: 'one' } });
  };

  it.each([
    ['of the adapter, split in the graph', undefined, whole],
    ['of the adapter, split in a graph without names', 'optimised', whole],
    ['of the adapter and the graph', 'packed', whole],
    ['of the graph, split in the adapter', 'packed', parts],
    ['of neither, in half precision nearly', 'half', parts],
  ])('%s', async (_, base, modules) => {
    const wanted = pooled(await route(undefined, parts));
    const trace = pooled(await route(base, modules));
    const tolerance = base === 'half' ? 0.05 : 2e-5;
    expect(largestDifference(trace.logProb!, wanted.logProb!)).toBeLessThan(tolerance);
    expect(trace.modules.map((module) => module.path)).toEqual(
      layers.flatMap((layer) =>
        modules === whole ? [`${layer}.qkv_proj`] : ['q', 'k', 'v'].map((kind) => `${layer}.${kind}_proj`),
      ),
    );
    // ‖Δ‖ ÷ ‖W u‖ over all columns is between those of the parts.
    const largest = Math.max(...wanted.contribution!);
    expect(Math.max(...trace.contribution!)).toBeLessThan(largest * 1.01);
    expect(Math.min(...trace.contribution!)).toBeGreaterThan(0);
  });

  it('is not placed twice', async () => {
    const pool = copyOfTinyPool();
    // It comes first by name, but must not take anything away from the others.
    writeExpert(pool, '0-whole', whole);
    const { warnings } = await (await engineFor(pool)).info();
    expect(textsOf({ warnings })).toEqual([
      expect.stringMatching(
        /"0-whole" is left out: none of its modules \(2\).*same multiplication as .*self_attn\.[qkv]_proj/,
      ),
    ]);
  });
});

describe("an adapter of the head that brings PEFT's copy of the base's weight", () => {
  const embedding = () => {
    const { graph } = parseModel(readFileSync(path.join(root, 'test/fixtures/tiny-pool/base/model.onnx')));
    const tensor = graph.initializer.find(({ name }) => name === 'model.embed_tokens.weight')!;
    return new Float32Array(new Uint8Array(tensor.rawData).buffer);
  };
  const token = 65;
  const poolWith = (weight: Float32Array) => {
    const pool = copyOfTinyPool();
    const head = matrices({ lm_head: [32, 320] })['lm_head']!;
    // Changes the logit of one token only.
    head.b.forEach((_, at) => Math.floor(at / rank) !== token && (head.b[at] = 0));
    head.b.fill(3, token * rank, (token + 1) * rank);
    const copy = { name: 'base_model.model.lm_head.base_layer.weight', shape: [320, 32], data: weight };
    writeExpert(pool, 'head', { lm_head: head }, [copy]);
    return pool;
  };

  it('is placed if the copy equals the weight', async () => {
    const engine = await engineFor(poolWith(embedding()));
    expect((await engine.info()).warnings).toEqual([]);
    const base = pooled(await engine.route({ text, strategy: { name: 'base' } }));
    const trace = pooled(await engine.route({ text, strategy: { name: 'single', expert: 'head' } }));
    let moved = 0;
    for (let t = 0; t < trace.done; t++) {
      const row = (of: typeof trace) =>
        new Map(
          Array.from({ length: of.predictions }, (_, p) => [
            of.topIds![t * of.predictions + p]!,
            of.topLogProb![t * of.predictions + p]!,
          ]),
        );
      const [before, after] = [row(base), row(trace)];
      const shifts = [...before].filter(([id]) => id !== token && after.has(id)).map(([id, p]) => after.get(id)! - p);
      // All other tokens change by the same amount.
      expect(Math.max(...shifts) - Math.min(...shifts)).toBeLessThan(1e-4);
      moved = Math.max(moved, Math.abs(shifts[0] ?? 0));
    }
    expect(moved).toBeGreaterThan(0.01);
  });

  it('is left out if the copy differs', async () => {
    const other = embedding();
    other[1000]! += 1;
    const engine = await engineFor(poolWith(other));
    await expect(engine.route({ text, strategy: { name: 'single', expert: 'head' } })).rejects.toMatchObject({
      code: 'expert-invalid',
      message: expect.stringMatching(/brings a weight of its own for lm_head, which differs/) as string,
    });
  });
});

it('a base that multiplies in 8 bits is refused by name', async () => {
  const pool = copyOfTinyPool();
  const file = path.join(pool, 'base/model.onnx');
  const model = parseModel(readFileSync(file));
  for (const n of model.graph.node) if (n.name.endsWith('_proj/MatMul')) n.opType = 'MatMulInteger';
  writeFileSync(file, writeModel(model));
  await expect((await engineFor(pool)).info()).rejects.toMatchObject({
    code: 'module-not-placed',
    message: expect.stringMatching(/MatMulInteger, which rounds activations to 8 bits/) as string,
  });
});

it('a base whose products also round their inputs gives a warning that counts them', async () => {
  const pool = copyOfTinyPool();
  cpSync(path.join(root, 'test/fixtures/bases/matmulnbits'), path.join(pool, 'base'), { recursive: true });
  const file = path.join(pool, 'base/model.onnx');
  expect((await (await engineFor(pool)).info()).warnings).toEqual([]);
  const model = parseModel(readFileSync(file));
  const products = model.graph.node.filter(({ opType }) => opType === 'MatMulNBits');
  const level = node('MatMulNBits', [], [], { accuracy_level: 4 }).attribute;
  for (const n of products.slice(1)) n.attribute.push(...level);
  writeFileSync(file, writeModel(model));
  expect((await (await engineFor(pool)).info()).warnings).toEqual([
    {
      code: (await processor()).roundsInputs ? 'inputs-rounded' : 'processor-dependent',
      text: expect.stringContaining(
        `inputs of ${products.length - 1} of its ${products.length} quantised products`,
      ) as string,
    },
  ]);
});
