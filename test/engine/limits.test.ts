/** Pools that are small on disk but would take much memory or time, run in the real child. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { EngineClient } from '../../src/engine/client.js';
import { encodeSafetensors } from '../../src/formats/safetensors.js';
import { asPool } from '../../src/requests/modelInfo.js';
import { builtEngine, copyOfTinyPool, temporaryFolder, pooled } from './support.js';

const strategy = { name: 'phatgoose', k: 2 } as const;
const entry = builtEngine();
let client: EngineClient | undefined;
afterEach(() => client?.dispose());

const engine = (pool: string) =>
  (client = new EngineClient({ entry, pool, cache: temporaryFolder(), threads: 1, chunk: 64, deadlineMs: 60_000 }));

/** Overwrites an expert's files with those of an expert with a single module. */
function write(folder: string, rank: number): void {
  const module = 'model.layers.0.self_attn.q_proj';
  const config = path.join(folder, 'adapter_config.json');
  const json = JSON.parse(readFileSync(config, 'utf8')) as Record<string, unknown>;
  writeFileSync(config, JSON.stringify({ ...json, r: rank, lora_alpha: 1, rank_pattern: {}, alpha_pattern: {} }));
  const data = Float32Array.from({ length: 32 * rank }, (_, i) => Math.sin(i));
  const tensors = [
    { name: `base_model.model.${module}.lora_A.weight`, dtype: 'F32' as const, shape: [rank, 32], data },
    { name: `base_model.model.${module}.lora_B.weight`, dtype: 'F32' as const, shape: [32, rank], data },
  ];
  writeFileSync(path.join(folder, 'adapter_model.safetensors'), encodeSafetensors(tensors));
  const vector = { name: module, dtype: 'F32' as const, shape: [32], data: data.subarray(0, 32) };
  for (const file of ['gate.safetensors', 'activation.safetensors'])
    writeFileSync(path.join(folder, file), encodeSafetensors([vector]));
}

it('routes over one adapter of rank 4096 among 300 of rank 1', { timeout: 300_000, tags: ['slow'] }, async () => {
  const pool = copyOfTinyPool();
  const experts = path.join(pool, 'experts');
  const template = path.join(temporaryFolder(), 'template');
  cpSync(path.join(experts, 'alpha'), template, { recursive: true });
  rmSync(experts, { recursive: true });
  for (const [i, rank] of [...new Array<number>(300).fill(1), 4096].entries()) {
    const folder = path.join(experts, `e${i}`);
    cpSync(template, folder, { recursive: true });
    write(folder, rank);
  }
  const { warnings, experts: all } = asPool(await engine(pool).info());
  expect([all.length, warnings]).toEqual([301, []]);
  const trace = pooled(await client!.route({ text: 'some text', strategy: { name: 'single', expert: 'e300' } }));
  expect(trace.contribution!.some((x) => x > 0)).toBe(true);
  expect(trace.logProb!.subarray(1).every(Number.isFinite)).toBe(true);
});

it('answers soon even if a regular expression would never end', async () => {
  const pool = copyOfTinyPool();
  const config = path.join(pool, 'experts/alpha/adapter_config.json');
  const json = JSON.parse(readFileSync(config, 'utf8')) as Record<string, unknown>;
  writeFileSync(config, JSON.stringify({ ...json, alpha_pattern: { '(([a-z._0-9]+)+)+!': 1, '(.*.*.*.*.*)*=': 2 } }));
  expect((await engine(pool).info()).warnings).toEqual([]);
  await client!.route({ text: 'some text', strategy });
});
