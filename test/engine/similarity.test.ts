/** The engine's similarities of experts, compared with those that PyTorch computes from full products. */
import { cpSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/requests/ask.js';
import { createEngine } from '../../src/engine/local.js';
import { measures } from '../../src/similarity/planes.js';
import { copyOfTinyPool, largestDifference, root, temporaryFolder, tinyPool } from './support.js';
import { Tensors } from './tensors.js';

const cache = temporaryFolder();
const opened: Engine[] = [];
async function open(pool: string): Promise<Engine> {
  const engine = await createEngine({ pool, cache, threads: 1, chunk: 256 });
  opened.push(engine);
  return engine;
}
afterAll(() => opened.forEach((engine) => engine.dispose()));

const golden = (name: string, by: string) =>
  new Tensors(path.join(root, `test/fixtures/golden/similarity/${name}.safetensors`)).floats(by);

describe.each<[string, string, { readonly tags?: string[] }]>([
  ['tiny', tinyPool, {}],
  ['tiny-t5', path.join(root, 'test/fixtures/tiny-t5'), {}],
  ['smollm2-135m', path.join(root, 'models/smollm2-135m'), { tags: ['slow'] }],
])('of the pool %s', (name, folder, options) => {
  it(
    'similarities of gates and adapters agree with PyTorch, at each layer and over all',
    { timeout: 300_000, ...options },
    async () => {
      const seen: number[] = [];
      const similarity = await (
        await open(folder)
      ).similarity({}, { onProgress: (done, total) => seen.push(done / total) });
      const { experts, layers } = similarity;
      for (const by of measures) {
        const planes = [similarity[by].all, ...similarity[by].layers];
        expect(planes).toHaveLength(1 + layers.length);
        const wanted = golden(name, by);
        expect(wanted.length).toBe(planes.length * experts.length ** 2);
        expect(
          largestDifference(
            planes.flatMap((plane) => [...plane]),
            wanted,
          ),
        ).toBeLessThan(2e-6);
        // The similarities are not all the same.
        expect(new Set(wanted).size).toBeGreaterThan(experts.length);
      }
      expect(seen[0]).toBe(0);
      expect(seen.at(-1)).toBe(1);
    },
  );
});

it('leaves out an expert that does not fit the base, and recognises a copy', async () => {
  const pool = copyOfTinyPool();
  const experts = path.join(pool, 'experts');
  cpSync(path.join(experts, 'alpha'), path.join(experts, 'alpha-again'), { recursive: true });
  rmSync(path.join(experts, 'Zeta/adapter_model.safetensors'));
  const { experts: compared, gate, adapter } = await (await open(pool)).similarity();
  expect(compared.map(({ id }) => id)).toEqual(['alpha', 'alpha-again', 'beta-10', 'beta-2']);
  expect(gate.all[1]).toBeCloseTo(1, 5);
  expect(adapter.all[1]).toBeCloseTo(1, 5);
});

it('is cancelled between modules', async () => {
  const engine = await open(tinyPool);
  const stop = new AbortController();
  const asked = engine.similarity({}, { signal: stop.signal, onProgress: (done) => done === 3 && stop.abort() });
  await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
  expect((await engine.similarity()).experts).toHaveLength(4);
});

it('is refused for a mixture of experts', async () => {
  const engine = await open(path.join(root, 'models/gosling-moe'));
  await expect(engine.similarity()).rejects.toMatchObject({ code: 'request-invalid' });
});
