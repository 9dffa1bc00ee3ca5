/** An expert outside the pool, tried as if it were added: nothing is copied, and everything else is the same. */
import { cpSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { Engine } from '../../src/requests/ask.js';
import { createEngine } from '../../src/engine/local.js';
import { nearestTo } from '../../src/similarity/pairs.js';
import { trialOf } from '../../src/similarity/trial.js';
import { copyOfTinyPool, pooled, root, temporaryFolder } from './support.js';

const opened: Engine[] = [];
async function open(pool: string, cache = temporaryFolder()): Promise<Engine> {
  const engine = await createEngine({ pool, cache, threads: 1, chunk: 256 });
  opened.push(engine);
  return engine;
}
afterAll(() => opened.forEach((engine) => engine.dispose()));

const text = 'the model routes each token';
const strategy = { name: 'phatgoose', k: 2 } as const;

/** A pool without alpha, and alpha next to it. */
function apart(): { readonly pool: string; readonly alpha: string } {
  const pool = copyOfTinyPool();
  const alpha = path.join(temporaryFolder(), 'alpha');
  renameSync(path.join(pool, 'experts/alpha'), alpha);
  return { pool, alpha };
}

it('is routed as it will be once it is added, and the composed graph can be used again then', async () => {
  const { pool, alpha } = apart();
  const cache = temporaryFolder();
  const engine = await open(pool, cache);
  const without = await engine.route({ text, strategy });
  const tried = await engine.route({ text, strategy, tried: alpha });
  expect(readdirSync(path.join(pool, 'experts'))).not.toContain('alpha');
  // The pool itself is unchanged.
  expect(pooled(await engine.route({ text, strategy })).chosen).toEqual(pooled(without).chosen);
  expect(pooled(without).experts.map(({ id }) => id)).toEqual(['Zeta', 'beta-10', 'beta-2']);

  const composed = () => readdirSync(cache, { recursive: true }).filter((name) => String(name).endsWith('plan.json'));
  const before = composed();
  cpSync(alpha, path.join(pool, 'experts/alpha'), { recursive: true });
  const added = await engine.route({ text, strategy });
  expect(composed().sort()).toEqual(before.sort());
  expect(tried.source.hash).toBe(added.source.hash);
  expect(pooled(tried).experts).toEqual(pooled(added).experts);
  expect(pooled(tried).chosen).toEqual(pooled(added).chosen);
  expect(pooled(tried).logProb).toEqual(pooled(added).logProb);
  // The trace's name shows later that this was not the pool itself.
  expect(tried.source.name).toBe(`${without.source.name} + Alpha (rank-stabilised)`);

  const trial = trialOf('alpha', without, tried)!;
  const { chosen } = pooled(tried);
  expect(trial.sequences[0]!.share).toBeGreaterThan(0);
  expect(trial.sequences[0]!.layers).toHaveLength(2);
  expect(chosen.includes(1)).toBe(true);
  expect(trial.logProb.with).not.toBe(trial.logProb.without);
  expect(trialOf('beta-2', without, without)!.logProb).toEqual({
    without: trial.logProb.without,
    with: trial.logProb.without,
  });
});

it('can be scored, knocked out and compared like the others', async () => {
  const { pool, alpha } = apart();
  const engine = await open(pool);
  const knockOut = [{ action: 'knock-out', expert: 'alpha', scope: {} }] as const;
  const [none, out] = [
    await engine.score({ text, strategy }),
    await engine.score({ text, strategy, tried: alpha, interventions: knockOut }),
  ];
  expect(out.bits).toBeCloseTo(none.bits, 3);
  const { experts, gate } = await engine.similarity({ tried: alpha });
  expect(experts.map(({ id }) => id)).toEqual(['Zeta', 'alpha', 'beta-10', 'beta-2']);
  expect(nearestTo(gate.all, 1)).toHaveLength(3);
  expect((await engine.similarity()).experts).toHaveLength(3);
});

it('is read again when one of its files changes', async () => {
  const { pool, alpha } = apart();
  const engine = await open(pool);
  const name = async () => pooled(await engine.route({ text, strategy, tried: alpha })).experts[1]!.name;
  expect(await name()).toBe('Alpha (rank-stabilised)');
  writeFileSync(path.join(alpha, 'README.md'), '---\nname: Another\n---\n');
  expect(await name()).toBe('Another');
});

it.each([
  ['has the name of one that is there', 'beta-2', /The pool already has an expert beta-2/],
  ['has no weights', 'empty', /has no adapter_model\.safetensors/],
  ['was made for another base', 'foreign', /foreign does not fit the pool: it was made for another base model/],
])('that %s is refused as if it were added', async (_, name, message) => {
  const { pool, alpha } = apart();
  const folder = path.join(temporaryFolder(), name);
  const from = name === 'foreign' ? path.join(root, 'models/smollm2-135m/experts/go') : alpha;
  cpSync(from, folder, { recursive: true });
  if (name === 'empty') rmSync(path.join(folder, 'adapter_model.safetensors'));
  const engine = await open(pool);
  const refused = { code: 'expert-invalid', message: expect.stringMatching(message) as string };
  await expect(engine.examine(folder)).rejects.toMatchObject(refused);
  await expect(engine.route({ text, strategy, tried: folder })).rejects.toMatchObject(refused);
  await expect(engine.similarity({ tried: folder })).rejects.toMatchObject(refused);
  expect(pooled(await engine.route({ text, strategy })).experts).toHaveLength(3);
});

it('may have no gate: phatgoose never chooses it, the others may', async () => {
  const { pool, alpha } = apart();
  rmSync(path.join(alpha, 'gate.safetensors'));
  const engine = await open(pool);
  expect((await engine.examine(alpha)).files).not.toContain('gate.safetensors');
  const gated = pooled(await engine.route({ text, strategy: { name: 'phatgoose', k: 4 }, tried: alpha }));
  const own = gated.experts.findIndex(({ id }) => id === 'alpha');
  expect(gated.chosen).not.toContain(own);
  expect(gated.score!.filter((_, i) => i % 4 === own).every(Number.isNaN)).toBe(true);
  const arrow = pooled(await engine.route({ text, strategy: { name: 'arrow', k: 4 }, tried: alpha }));
  expect(arrow.chosen).toContain(own);
});

it('is refused for a mixture of experts', async () => {
  const engine = await open(path.join(root, 'models/gosling-moe'));
  await expect(engine.route({ text, tried: apart().alpha })).rejects.toMatchObject({
    code: 'request-invalid',
    message: expect.stringContaining('no others can be added') as string,
  });
});
