/** What each layer would predict, compared with the run itself. */
import { cpSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Lens, LensColumn, PoolInfo, RouteRequest } from '../../src/requests/api.js';
import type { Engine } from '../../src/requests/ask.js';
import { EngineClient } from '../../src/engine/client.js';
import { createEngine } from '../../src/engine/local.js';
import { parseModel } from '../../src/graph/model.js';
import { streamOf } from '../../src/graph/stream.js';
import type { Trace } from '../../src/trace/model/trace.js';
import {
  builtEngine,
  copyOfTinyPool,
  isEmulated,
  largestDifference,
  root,
  temporaryFolder,
  tinyPool,
} from './support.js';
import { Tensors } from './tensors.js';

const cache = temporaryFolder();
const engines: Engine[] = [];
const engineFor = async (pool: string, chunk = 256) => {
  const engine = await createEngine({ pool, cache, threads: 1, chunk });
  engines.push(engine);
  return engine;
};
afterAll(() => engines.forEach((engine) => engine.dispose()));

const text = 'def add(a, b):\n    return a + b\n\nthe farmer counts sheep';
const strategy = { name: 'phatgoose', k: 2 };

/** onnxruntime fuses a sum with the following norm if nothing else reads the sum, which rounds differently. */
const rounding = 5e-6;

/** The last layer's predictions are those of the run. */
function expectSame(column: LensColumn, trace: Trace, token: number, bound: number): void {
  const { predictions, topIds, topLogProb, logProb, topTokens } = trace.sequences.at(-1)!;
  const last = (values: ArrayLike<unknown>) => [...Array.from(values)].slice(-predictions);
  const at = <T>(values: ArrayLike<T>) => Array.from(values).slice(token * predictions, (token + 1) * predictions);
  expect(column.predictions).toBe(predictions);
  expect(last(column.topIds)).toEqual(at(topIds!));
  expect(largestDifference(last(column.topLogProb) as number[], at(topLogProb!))).toBeLessThan(bound);
  expect(last(column.topTokens)).toEqual(at(topTokens!));
  if (token + 1 < logProb!.length) expect(column.logProb!.at(-1)).toBeCloseTo(logProb![token + 1]!, 4);
  else expect(column.logProb).toBeUndefined();
}

async function expectLens(
  engine: Engine,
  request: RouteRequest,
  where = [0, 0.5, 1],
  bound = rounding,
): Promise<Lens[]> {
  const trace = await engine.route(request);
  const { count } = trace.sequences.at(-1)!.tokens;
  const found: Lens[] = [];
  for (const part of where) {
    const token = Math.round(part * (count - 1));
    const lens = await engine.lens({ ...request, token });
    expect([...lens.ids]).toEqual([...trace.sequences.at(-1)!.tokens.ids!.subarray(0, token + 2)]);
    expectSame(lens.routed, trace, token, bound);
    found.push(lens);
  }
  return found;
}

describe('of a pool', () => {
  it.each([256, 7])('ends with the predictions of the run, in chunks of %i', async (chunk) => {
    const engine = await engineFor(tinyPool, chunk);
    const [first] = await expectLens(engine, { text, strategy });
    const layers = new Set(((await engine.info()) as PoolInfo).modules.map(({ layer }) => layer));
    expect(first!.layers).toEqual([...layers].sort((a, b) => a - b));
  });
});

describe('of another export of the same base', () => {
  it.each(['dynamo', 'gemm', 'initializer', 'packed', 'optimised', 'half', 'matmulnbits'])(
    'ends in what the run predicts: %s',
    async (base) => {
      const pool = copyOfTinyPool();
      cpSync(path.join(root, 'test/fixtures/bases', base), path.join(pool, 'base'), { recursive: true });
      await expectLens(await engineFor(pool, 7), { text, strategy });
    },
  );
});

/** Its head has 8 bits, and multiplies few rows differently from many. */
const shipped = path.join(root, 'models/smollm2-135m');
describe.skipIf(isEmulated || !existsSync(path.join(shipped, 'base/model.onnx')))('of the pool that ships', () => {
  it('ends with the predictions of the run', { timeout: 300_000, tags: ['slow'] }, async () => {
    const [lens] = await expectLens(await engineFor(shipped), { text: text.repeat(3), strategy }, [0.8], 1e-4);
    expect(lens!.layers).toHaveLength(30);
  });
});

const mixtures = path.join(root, 'test/fixtures/moe');
const forms = readdirSync(mixtures).filter((name) => !name.endsWith('.md'));

describe('of a mixture of experts', () => {
  it.each(forms)('ends with the predictions of the run: %s', async (name) => {
    const engine = await engineFor(path.join(mixtures, name), 7);
    const [lens] = await expectLens(engine, { text: 'the model reads a line, and goes on' });
    expect(lens!.without).toEqual({ none: 'mixture' });
  });

  it('ends with the predictions of the run with another k', async () => {
    const engine = await engineFor(path.join(mixtures, 'mixtral-transformers'));
    await expectLens(engine, { text, strategy: { name: 'native', k: 3 } }, [1]);
  });
});

describe('of an encoder-decoder', () => {
  const request = { text: 'question: why?', strategy };
  it.each([{ target: 'because the gate was open' }, {}])('ends with the predictions of the run: %o', async (output) => {
    const engine = await engineFor(path.join(root, 'test/fixtures/tiny-t5'), 5);
    await expectLens(engine, { ...request, ...output });
  });
});

describe('as it is asked', () => {
  it('has no second side for the base itself', async () => {
    const engine = await engineFor(tinyPool);
    const { without } = await engine.lens({ text, strategy: { name: 'base' }, token: 3 });
    expect(without).toEqual({ none: 'base' });
  });

  it('shows the effect of a what-if, with the base beside it', async () => {
    const engine = await engineFor(tinyPool);
    const { experts } = (await engine.info()) as PoolInfo;
    const knockOut = { action: 'knock-out', expert: experts[0]!.id, scope: {} } as const;
    const plain = await engine.lens({ text, strategy, token: 9 });
    const [changed] = await expectLens(engine, { text, strategy, interventions: [knockOut] }, [9 / 40]);
    const same = await engine.lens({ text, strategy, interventions: [knockOut], token: 9 });
    expect(changed!.routed).not.toEqual(plain.routed);
    expect(same.without).toEqual(plain.without);
    const base = await engine.lens({ text, strategy: { name: 'base' }, token: 9 });
    expect(plain.without).toEqual(base.routed);
  });

  it('can be followed by runs, and these by lenses', async () => {
    const engine = await engineFor(tinyPool);
    const first = await engine.lens({ text, strategy, token: 5 });
    const trace = await engine.route({ text, strategy });
    expect(await engine.lens({ text, strategy, token: 5 })).toEqual(first);
    expect(await engine.route({ text, strategy })).toMatchObject({ blocks: trace.blocks });
  });

  it.each([-1, 1.5, 1000])('refuses a token that does not exist: %d', async (token) => {
    const engine = await engineFor(tinyPool);
    await expect(engine.lens({ text, strategy, token })).rejects.toMatchObject({ code: 'request-invalid' });
  });

  it('stops between chunks', async () => {
    const engine = await engineFor(tinyPool, 2);
    const abort = new AbortController();
    const seen: number[] = [];
    const asked = engine.lens(
      { text, strategy, token: 9 },
      {
        signal: abort.signal,
        onProgress: (done, total) => {
          seen.push(done);
          expect(total).toBe(20);
          if (done === 12) abort.abort();
        },
      },
    );
    await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
    expect(seen).toEqual([2, 4, 6, 8, 10, 12]);
  });

  // A child of an emulated process would run on the machine's own processor.
  it.skipIf(isEmulated)('comes unchanged from the child process, and can be stopped there', async () => {
    const client = new EngineClient({ entry: builtEngine(), pool: tinyPool, cache, threads: 1, chunk: 256 });
    onTestFinished(() => client.dispose());
    const engine = await engineFor(tinyPool);
    const request = { text, strategy, token: 5 };
    expect(await client.lens(request)).toEqual(await engine.lens(request));
    const abort = new AbortController();
    const asked = client.lens(request, { signal: abort.signal });
    abort.abort();
    await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('is refused with a reason if the residual stream is not found', () => {
    const model = parseModel(readFileSync(path.join(tinyPool, 'base/model.onnx')));
    expect(() => streamOf(model.graph, ['present.0.key'], 'no such value')).toThrow(/logit lens cannot be computed/);
  });
});

/** PyTorch's result (training/src/gander_training/reference/lens.py). */
describe('compared with PyTorch', () => {
  const folder = path.join(root, 'test/fixtures/golden/lens');
  const own = (name: string) =>
    name.startsWith('moe-')
      ? forms.filter((form) => form.replace(/-(transformers|optimum|genai|mobius).*/, '') === name.slice(4))
      : [name];
  const cases = readdirSync(folder).flatMap((file) => {
    const name = path.basename(file, '.safetensors');
    return own(name)
      .filter((form) => !form.includes('int'))
      .map((form) => ({ file, form, isMixture: name.startsWith('moe-') }));
  });

  it.each(cases)('predicts the same as PyTorch at every layer: $form', async ({ file, form, isMixture }) => {
    const tensors = new Tensors(path.join(folder, file));
    const request = JSON.parse(tensors.header.metadata.get('gander-lens')!) as RouteRequest;
    const data = (name: string) => (name.endsWith('ids') ? tensors.ids(name) : tensors.floats(name));
    const ids = data('ids');
    const engine = await engineFor(path.join(root, 'test/fixtures', isMixture ? 'moe' : '', form), 8);
    for (const token of [0, 7, 8, ids.length - 2, ids.length - 1]) {
      const lens = await engine.lens({ ...request, token });
      expect([...lens.ids]).toEqual([...ids.subarray(0, token + 2)]);
      const columns = { routed: lens.routed, ...(!isMixture && { without: lens.without as LensColumn }) };
      for (const [name, column] of Object.entries(columns)) expectColumn(column, name, data, token, ids.length);
    }
  });
});

/** Equal to 1e-4, layer by layer; equally likely tokens may come in either order. */
function expectColumn(
  column: LensColumn,
  name: string,
  data: (name: string) => ArrayLike<number>,
  token: number,
  t: number,
) {
  const p = column.predictions;
  const [ids, top, logProb] = ['top_ids', 'top_log_prob', 'log_prob'].map((what) => data(`${name}.${what}`));
  const layers = ids!.length / (t * p);
  expect(column.topIds).toHaveLength(layers * p);
  for (let layer = 0; layer < layers; layer++) {
    const at = (layer * t + token) * p;
    const theirs = Array.from({ length: p }, (_, i) => top![at + i]!);
    const mine = [...column.topLogProb.subarray(layer * p, (layer + 1) * p)];
    expect(largestDifference(mine, theirs), `${name}, layer ${layer}, token ${token}`).toBeLessThan(1e-4);
    if (theirs[0]! - theirs[1]! > 1e-3) expect(column.topIds[layer * p]).toBe(ids![at]);
    if (token < t - 1) expect(column.logProb![layer]).toBeCloseTo(logProb![layer * (t - 1) + token]!, 4);
  }
}
