/** A jointly trained router (strategy `jointly-trained`), compared with numbers that are known in another way. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/requests/ask.js';
import { createEngine } from '../../src/engine/local.js';
import { normalisedGate } from '../../src/graph/algebra.js';
import { readPool } from '../../src/pool/pool.js';
import { encodeSafetensors } from '../../src/formats/safetensors.js';
import { copyOfTinyPool, expectLike, pooled, temporaryFolder, tinyPool } from './support.js';

const cache = temporaryFolder();
const engines: Engine[] = [];
const engineFor = async (pool: string) => {
  const engine = await createEngine({ pool, cache, threads: 1, chunk: 256 });
  engines.push(engine);
  return engine;
};
afterAll(() => engines.forEach((engine) => engine.dispose()));

const text = 'def route(tokens): return [expert for expert in experts]';
const none = { interventions: [] };

/** A pool whose router has the normalised gates of `ids` as rows, so it must decide as the gates do. */
function withGatesAsRouter(ids: readonly string[]): string {
  const folder = copyOfTinyPool();
  const experts = readPool(folder).experts;
  const rows = ids.map((id) => experts.find((expert) => expert.id === id)!.gates);
  const tensors = [...rows[0]!].map(([name, { length }]) => ({
    name,
    dtype: 'F32' as const,
    shape: [ids.length, length],
    data: Float32Array.from(rows.flatMap((gates) => [...normalisedGate(gates.get(name)!.read())])),
  }));
  writeFileSync(path.join(folder, 'router.safetensors'), encodeSafetensors(tensors, {}));
  const manifest = path.join(folder, 'pool.json');
  const json = JSON.parse(readFileSync(manifest, 'utf8')) as Record<string, unknown>;
  writeFileSync(manifest, JSON.stringify({ ...json, router: { weights: 'router.safetensors', experts: ids } }));
  return folder;
}

describe('a jointly trained router', () => {
  it('is offered by a pool that has one, and by no other', async () => {
    const offered = async (pool: string) => (await (await engineFor(pool)).info()) as { strategies: readonly string[] };
    expect((await offered(tinyPool)).strategies).not.toContain('jointly-trained');
    expect((await offered(withGatesAsRouter(['alpha', 'Zeta']))).strategies).toContain('jointly-trained');
  });

  it('scores with its rows unchanged, in any order', async () => {
    const engine = await engineFor(withGatesAsRouter(['beta-2', 'alpha', 'Zeta', 'beta-10']));
    const gates = await engine.route({ text, strategy: { name: 'phatgoose', k: 2 }, ...none });
    const routed = await engine.route({ text, strategy: { name: 'jointly-trained', k: 2 }, ...none });
    expect(routed.router).toMatchObject({ name: 'jointly-trained', k: 2, scoring: 'softmax' });
    expectLike(routed, gates, { score: 1e-6, logProb: 1e-6, weight: 1e-6, contribution: 1e-6 });
  });

  it('never chooses an expert that it was not trained for, and gives no score for it', async () => {
    const engine = await engineFor(withGatesAsRouter(['alpha', 'Zeta']));
    const trace = await engine.route({ text, strategy: { name: 'jointly-trained', k: 3 }, ...none });
    const { experts, score, chosen } = pooled(trace);
    const known = experts.map(({ id }) => ['alpha', 'Zeta'].includes(id));
    const isSaid = Array.from(score!, (one) => !Number.isNaN(one));
    expect(isSaid).toEqual(isSaid.map((_, at) => known[at % known.length]));
    expect(new Set(chosen)).toEqual(new Set([-1, ...known.flatMap((isKnown, e) => (isKnown ? [e] : []))]));
  });
});
