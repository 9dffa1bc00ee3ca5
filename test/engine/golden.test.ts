/** The engine compared with the PyTorch reference. */
import { cpSync, existsSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/requests/ask.js';
import { Cache } from '../../src/engine/runtime/cache.js';
import { compose } from '../../src/engine/families/lora-pool/compose.js';
import { PoolRecording } from '../../src/engine/families/lora-pool/recording.js';
import { createEngine } from '../../src/engine/local.js';
import { Recorder } from '../../src/engine/runtime/recorder.js';
import { RoutedSession } from '../../src/engine/families/lora-pool/session.js';
import { StrategySteering, never, type Steering } from '../../src/engine/families/lora-pool/steering.js';
import { poolHash } from '../../src/pool/hash.js';
import { readPool } from '../../src/pool/pool.js';
import {
  type Golden,
  copyOfTinyPool,
  expectLike,
  goldens,
  isEmulated,
  pooled,
  root,
  temporaryFolder,
  tinyPool,
} from './support.js';
import { asked, exact, requestOf, tiny } from './tiny.js';

const cache = temporaryFolder();
const engines: Engine[] = [];
const engineFor = async (pool: string, chunk = 256) => {
  const engine = await createEngine({ pool, cache, threads: 1, chunk });
  engines.push(engine);
  return engine;
};
afterAll(() => engines.forEach((engine) => engine.dispose()));

describe('the tiny pool', () => {
  it.each(asked)('agrees with PyTorch: $name', async ({ trace: golden }) => {
    const engine = await engineFor(tinyPool);
    const trace = await engine.route(requestOf(golden));
    expect(trace.router).toEqual(golden.router);
    expect(trace.modules).toEqual(golden.modules);
    expectLike(trace, golden, exact);
  });

  it.each(asked.filter(({ trace }) => pooled(trace).tokens.count > 7))(
    'gives the same in chunks: $name',
    async ({ trace: golden }) => {
      const engine = await engineFor(tinyPool, 7);
      const { text = '', strategy, interventions } = pooled(golden);
      expectLike(await engine.route({ text, strategy, interventions }), golden, exact);
    },
  );

  it.each(tiny.filter(({ extra }) => extra('bias') ?? extra('fixed')))(
    'takes bias and fixed weights by number: $name',
    async (golden) => {
      expectLike(await routeWithTensors(golden), golden.trace, exact);
    },
  );

  it.each([
    ['dynamo', 'phatgoose-k2'],
    ['gemm', 'phatgoose-k2'],
    ['initializer', 'phatgoose-k2'],
    ['packed', 'phatgoose-k2'],
    ['optimised', 'phatgoose-k2'],
    ['half', 'phatgoose-k2-half'],
  ])('works with another export of the same base: %s', async (base, wanted) => {
    const pool = copyOfTinyPool();
    cpSync(path.join(root, 'test/fixtures/bases', base), path.join(pool, 'base'), { recursive: true });
    // In chunks of seven tokens, so that keys and values are carried over.
    const engine = await engineFor(pool, 7);
    expect((await engine.info()).warnings).toEqual([]);
    const { trace: golden } = tiny.find(({ name }) => name === wanted)!;
    expectLike(await engine.route({ text: pooled(golden).text!, strategy: pooled(golden).strategy }), golden, exact);
  });

  it('works with a base in 4-bit weights, and differs only by their rounding', async () => {
    const pool = copyOfTinyPool();
    cpSync(path.join(root, 'test/fixtures/bases/matmulnbits'), path.join(pool, 'base'), { recursive: true });
    const engine = await engineFor(pool);
    const info = await engine.info();
    expect(info.warnings).toEqual([]);
    expect(info.modules).toHaveLength(14);
    const trace = await engine.route({ text: 'the model', strategy: { name: 'phatgoose', k: 2 } });
    expect(pooled(trace).contribution!.every((c) => c > 0)).toBe(true);
  });
});

const shipped = path.join(root, 'models/smollm2-135m');
const shippedGoldens = path.join(root, 'test/fixtures/golden/smollm2-135m');
const present = !isEmulated && existsSync(path.join(shipped, 'base/model.onnx')) && existsSync(shippedGoldens);

/** Each strategy composes its own graph, of hundreds of megabytes. */
const always = ['phatgoose-k2-python', 'retrieval'];

describe.skipIf(!present)('the pool that ships', () => {
  for (const { name, trace: golden } of present ? goldens('smollm2-135m') : []) {
    const tags = always.includes(name) ? [] : ['slow'];
    it(`agrees with PyTorch: ${name}`, { timeout: 300_000, tags }, async () => {
      const engine = (shippedEngine ??= await engineFor(shipped));
      const { text = '', strategy, interventions } = pooled(golden);
      expectLike(await engine.route({ text, strategy, interventions }), golden, {
        score: 1e-3,
        logProb: 1e-2,
        weight: 1e-3,
        contribution: 1e-2,
      });
    });
  }
});
let shippedEngine: Engine | undefined;

/** The reference got numbers instead of interventions: [M, T, N], with NaN in `fixed` where the router decides. */
async function routeWithTensors({ trace, extra }: Golden) {
  const golden = pooled(trace);
  const pool = readPool(tinyPool);
  const graphs = new Cache(cache);
  const composed = compose(pool, poolHash(pool, graphs), graphs, []);
  const session = await RoutedSession.open(composed, 1);
  const plain = new StrategySteering(composed.plan, golden.strategy, []);
  const [t, n] = [golden.tokens.count, golden.experts.length];
  const steering: Steering = {
    k: plain.k,
    router: 'phatgoose',
    inputs: () => {
      const cells = (of: (from: number) => number) => {
        const out = new Float32Array(t * composed.plan.rows.length * n);
        for (let token = 0; token < t; token++) {
          composed.plan.rows.forEach((module, row) => {
            for (let e = 0; e < n; e++)
              out[(token * composed.plan.rows.length + row) * n + e] = of((module * t + token) * n + e);
          });
        }
        return out;
      };
      const bias = extra('bias');
      const fixed = extra('fixed');
      const given = cells((from) => fixed?.[from] ?? NaN);
      return {
        bias: cells((from) => Math.max(never, bias?.[from] ?? 0)),
        fixed: given.map((w) => (Number.isNaN(w) ? 0 : w)),
        routed: given.filter((_, i) => i % n === 0).map((w) => (Number.isNaN(w) ? 1 : 0)),
      };
    },
  };
  const recording = new PoolRecording({
    plan: composed.plan,
    experts: golden.experts,
    router: trace.router,
    interventions: [],
    source: trace.source,
    vectors: 'phatgoose',
    k: golden.k,
  });
  const recorder = new Recorder(recording, [t], String);
  const targets = Int32Array.from(golden.tokens.ids, (_, i) => golden.tokens.ids[i + 1] ?? 0);
  const chunk = { ids: golden.tokens.ids, targets, done: 0, past: undefined };
  recorder.add(await session.run(chunk, steering), t);
  await session.release();
  return recorder.trace([{ text: golden.text!, tokens: golden.tokens }]);
}
