/** The gathered form compared with the dense one, on the tiny pool and on a larger version of it. */
import { cpSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cache } from '../../src/engine/runtime/cache.js';
import { compose, gatheredFrom } from '../../src/engine/families/lora-pool/compose.js';
import { type FormName } from '../../src/engine/families/lora-pool/plan.js';
import { multitaskId } from '../../src/engine/families/lora-pool/placing.js';
import { PoolRecording } from '../../src/engine/families/lora-pool/recording.js';
import { Recorder } from '../../src/engine/runtime/recorder.js';
import { RoutedSession } from '../../src/engine/families/lora-pool/session.js';
import { StrategySteering } from '../../src/engine/families/lora-pool/steering.js';
import type { Past } from '../../src/engine/runtime/past.js';
import { Tokenizer } from '../../src/engine/runtime/tokenizer.js';
import { poolHash } from '../../src/pool/hash.js';
import { type Pool, readPool } from '../../src/pool/pool.js';
import { routerOf, type Strategy } from '../../src/strategies/index.js';
import type { Intervention, Trace } from '../../src/trace/model/trace.js';
import { copyOfTinyPool, expectLike, root, temporaryFolder, tinyPool } from './support.js';

const exact = { score: 1e-4, logProb: 1e-4, weight: 1e-4, contribution: 1e-4 };
const text = 'the model routes 🦢 each token, and each module by itself; fn main() { let x = 1; }\r\n';
const cache = new Cache(temporaryFolder(), 16);
const hashOf = (pool: Pool) => poolHash(pool, cache);

type Route = (strategy: Strategy, interventions?: readonly Intervention[], chunk?: number) => Promise<Trace>;

/** Routes the text through a pool's graph of one form. */
async function open(folder: string, form: FormName): Promise<{ route: Route; release: () => Promise<void> }> {
  const pool = readPool(folder);
  const composed = compose(pool, hashOf(pool), cache, ['multitask'], form);
  expect(composed.plan.form ?? 'dense').toBe(form);
  const session = await RoutedSession.open(composed, 1);
  const tokens = await new Tokenizer(pool.base.tokenizer).encode(text);
  const route: Route = async (strategy, interventions = [], chunk = tokens.ids.length) => {
    const { plan } = session;
    const steering = new StrategySteering(plan, strategy, interventions);
    const recording = new PoolRecording({
      plan,
      experts: plan.experts.filter((id) => id !== multitaskId).map((id) => ({ id, name: id })),
      router: routerOf(strategy),
      interventions,
      source: { kind: 'pool', name: '', versions: {} },
      vectors: steering.router,
      k: steering.width,
    });
    const recorder = new Recorder(recording, [tokens.ids.length], String);
    let past: Past | undefined;
    for (let done = 0; done < tokens.ids.length; done += chunk) {
      const ids = tokens.ids.slice(done, done + chunk);
      const targets = ids.map((_, i) => tokens.ids[done + i + 1] ?? 0);
      const result = await session.run({ ids, targets, done, past }, steering);
      recorder.add(result, ids.length);
      past = result.past;
    }
    return recorder.trace([{ text, tokens }]);
  };
  return { route, release: () => session.release() };
}

/** The tiny pool with several copies of each expert: ties everywhere, which the lower index wins. */
function crowdedPool(times: number): string {
  const folder = copyOfTinyPool();
  for (const id of ['Zeta', 'alpha', 'beta-2']) {
    for (let i = 0; i < times; i++)
      cpSync(path.join(folder, 'experts', id), path.join(folder, 'experts', `${id}-${i}`), { recursive: true });
  }
  return folder;
}

const out = (expert: string, scope = {}): Intervention => ({ action: 'knock-out', expert, scope });
const cases: [string, Strategy, Intervention[]?][] = [
  ['phatgoose, 1', { name: 'phatgoose', k: 1 }],
  ['phatgoose, 2', { name: 'phatgoose', k: 2 }],
  ['phatgoose, 3', { name: 'phatgoose', k: 3 }],
  ['more than are gathered', { name: 'phatgoose', k: 9 }],
  ['base', { name: 'base' }],
  ['single', { name: 'single', expert: 'beta-2' }],
  ['merged', { name: 'merged' }],
  ['multitask', { name: 'multitask' }],
  ['average activation', { name: 'average-activation', k: 2 }],
  ['arrow', { name: 'arrow', k: 2 }],
  ['one knocked out', { name: 'phatgoose', k: 2 }, [out('alpha')]],
  ['one knocked out at one token', { name: 'phatgoose', k: 2 }, [out('alpha', { token: 3 })]],
  ['one knocked out of the merged', { name: 'merged' }, [out('Zeta', { layer: 0 })]],
  [
    'fewer than k left',
    { name: 'phatgoose', k: 3 },
    ['Zeta', 'alpha', 'beta-2'].map((expert) => out(expert, { layer: 1 })),
  ],
  [
    'one with a logit bias',
    { name: 'phatgoose', k: 2 },
    [{ action: 'logit-bias', expert: 'beta-2', amount: 0.7, scope: {} }],
  ],
  ['one forced in one layer', { name: 'phatgoose', k: 2 }, [{ action: 'force', expert: 'alpha', scope: { layer: 1 } }]],
  ['one forced beside the multitask adapter', { name: 'multitask' }, [{ action: 'force', expert: 'alpha', scope: {} }]],
];

describe.each([
  ['the tiny pool', () => tinyPool],
  ['a pool of 40', () => crowdedPool(12)],
])('%s, gathered', (_, make) => {
  let dense: Awaited<ReturnType<typeof open>>;
  let gathered: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    const folder = make();
    dense = await open(folder, 'dense');
    gathered = await open(folder, 'gathered');
  });
  afterAll(async () => {
    await dense.release();
    await gathered.release();
  });

  it.each(cases)('gives what the dense form gives: %s', async (_name, strategy, interventions) => {
    const [wanted, got] = [await dense.route(strategy, interventions), await gathered.route(strategy, interventions)];
    expectLike(got, wanted, exact);
  });

  it('gives the same in chunks, even of one token', async () => {
    for (const chunk of [1, 7]) {
      const strategy = { name: 'phatgoose', k: 2 } as const;
      expectLike(await gathered.route(strategy, [], chunk), await dense.route(strategy), exact);
    }
  });
});

it.each(['dynamo', 'gemm', 'initializer'])('works with another export of the same base: %s', async (base) => {
  const folder = copyOfTinyPool();
  cpSync(path.join(root, 'test/fixtures/bases', base), path.join(folder, 'base'), { recursive: true });
  const [dense, gathered] = [await open(folder, 'dense'), await open(folder, 'gathered')];
  const strategy = { name: 'phatgoose', k: 2 } as const;
  expectLike(await gathered.route(strategy), await dense.route(strategy), exact);
  await dense.release();
  await gathered.release();
});

it('is used for a large pool, and cached separately from the dense form', () => {
  const pool = readPool(tinyPool);
  const rank = Math.max(...pool.experts.map(({ adapter }) => adapter.rank));
  const of = (count: number) => ({
    ...pool,
    experts: Array.from({ length: count }, (_, i) => ({ ...pool.experts[i % 4]!, id: `expert-${i}` })),
  });
  const form = (count: number) => compose(of(count), hashOf(of(count)), cache, []).plan.form;
  expect(form(Math.ceil(gatheredFrom / rank))).toBe('gathered');
  expect(form(Math.ceil(gatheredFrom / rank) - 1)).toBeUndefined();
});
