/** What happens when the cache or the pool changes under a running engine. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import type { Engine } from '../../src/requests/ask.js';
import { asLocal } from '../../src/requests/modelInfo.js';
import { Cache } from '../../src/engine/runtime/cache.js';
import { compose } from '../../src/engine/families/lora-pool/compose.js';
import { seal } from '../../src/engine/runtime/seal.js';
import { createEngine } from '../../src/engine/local.js';
import { parseModel, setExternal, writeModel } from '../../src/graph/model.js';
import { readPool } from '../../src/pool/pool.js';
import { builtCli, copyOfTinyPool, temporaryFolder, pooled } from './support.js';

const strategy = { name: 'phatgoose', k: 2 } as const;
const text = 'the model routes 🦢 each token\r\n';
const opened: Engine[] = [];
afterAll(() => opened.forEach((engine) => engine.dispose()));

/** A pool whose base has its weights in a separate file, which can be overwritten. */
function poolWithData(): { pool: string; data: string } {
  const pool = copyOfTinyPool();
  const file = path.join(pool, 'base/model.onnx');
  const data = path.join(pool, 'base/model.bin');
  const model = parseModel(readFileSync(file));
  let offset = 0;
  const parts: Uint8Array[] = [];
  for (const tensor of model.graph.initializer.filter(({ rawData }) => rawData.length >= 1024)) {
    const { rawData } = tensor;
    parts.push(rawData);
    setExternal(tensor, 'model.bin', offset, rawData.length);
    offset += rawData.length;
  }
  writeFileSync(data, Buffer.concat(parts));
  // A time that can be restored to the nanosecond.
  utimesSync(data, 1, 1);
  writeFileSync(file, writeModel(model));
  return { pool, data };
}

const { pool, data } = poolWithData();
let cache: string;
beforeEach(() => {
  cache = temporaryFolder();
});
const open = async () => {
  const engine = await createEngine({ pool, cache, threads: 1, chunk: 256 });
  opened.push(engine);
  return engine;
};
const entries = () => readdirSync(cache).filter((name) => /^[0-9a-f]{32}$/.test(name));
const entry = (name: string) => path.join(cache, entries()[0]!, name);

/** Changes bytes but neither size nor time, as a failing disk might. */
function spoil(file: string, how: (bytes: Buffer) => void): void {
  const { atime, mtime } = statSync(file);
  const bytes = readFileSync(file);
  how(bytes);
  writeFileSync(file, bytes, { flag: 'r+' });
  utimesSync(file, atime, mtime);
}

it('a base that is overwritten in place gives an error, not a trace of NaN, and works again when restored', async () => {
  const wanted = await (await open()).route({ text, strategy });
  const kept = path.join(temporaryFolder(), 'kept');
  copyFileSync(data, kept);
  const { atime, mtime } = statSync(data);
  utimesSync(kept, atime, mtime);
  spoil(data, (bytes) => bytes.fill(0xff));

  const spoilt = await open();
  for (const answer of [
    spoilt.route({ text, strategy }),
    spoilt.score({ text, strategy }),
    spoilt.generate({ text, strategy, maxTokens: 2 }),
    spoilt.attribute({ text, strategy }),
  ])
    await expect(answer).rejects.toMatchObject({
      code: 'base-invalid',
      message: expect.stringContaining('not finite') as string,
    });

  renameSync(kept, data);
  const again = await (await open()).route({ text, strategy });
  expect(again.source.hash).toBe(wanted.source.hash);
  expect(pooled(again).logProb).toEqual(pooled(wanted).logProb);
});

it('a damaged entry is composed again, by the engine that has it open and by the next', async () => {
  const engine = await open();
  const wanted = await engine.route({ text, strategy });
  for (const who of [() => engine, open]) {
    for (const name of ['experts.bin', 'base-0.bin', 'phatgoose.bin']) {
      spoil(entry(name), (bytes) => bytes.fill(0x7f, 0, Math.min(3000, bytes.length)));
      expect(pooled(await (await who()).route({ text, strategy })).logProb).toEqual(pooled(wanted).logProb);
    }
  }
});

/** The graph as optimised by onnxruntime, and its seal. */
const kept = () => {
  const name = readdirSync(entry('.')).find((file) => /^model\.onnx\.[0-9a-f]{8}$/.test(file))!;
  return { file: entry(name), reseal: () => seal(entry('.'), ['model.onnx', name], `${name}.seal`) };
};
const numbers = async () => {
  const { logProb, weight, contribution, score } = pooled(await (await open()).route({ text, strategy }));
  return { logProb, weight, contribution, score };
};

it('a kept optimised graph gives the same result, to the bit', async () => {
  const wanted = await numbers();
  const bytes = readFileSync(kept().file);
  expect(await numbers()).toEqual(wanted);
  expect(readFileSync(kept().file)).toEqual(bytes);
  // Shows that this graph is the one that runs: other numbers in it change the result.
  const model = parseModel(bytes);
  for (const { dims, rawData } of model.graph.initializer)
    if (dims.length === 1 && dims[0]! > 8n && rawData.length === 4 * Number(dims[0])) rawData.fill(0x3f);
  writeFileSync(kept().file, writeModel(model));
  kept().reseal();
  expect((await numbers()).logProb).not.toEqual(wanted.logProb);
});

it(
  'an optimised graph that is damaged, belongs to another graph or cannot be opened is made again',
  { tags: ['slow'] },
  async () => {
    const wanted = await numbers();
    const bytes = readFileSync(kept().file);
    for (const spoilt of [
      () => spoil(kept().file, (b) => b.fill(0, 100, 400)),
      () => rmSync(`${kept().file}.seal`),
      () => writeFileSync(`${kept().file}.seal`, '{}'),
      () => (writeFileSync(kept().file, 'no model'), kept().reseal()),
      () => copyFileSync(entry('plan.json'), `${kept().file}.seal`),
    ]) {
      spoilt();
      expect(await numbers()).toEqual(wanted);
      expect(readFileSync(kept().file)).toEqual(bytes);
    }
  },
);

it('a cache that is deleted while an engine runs is filled again', async () => {
  const engine = await open();
  const wanted = await engine.route({ text, strategy });
  const arrow = await (await open()).route({ text, strategy: { name: 'arrow', k: 2 } });
  for (const deleted of [cache, entry('.'), entry('phatgoose.bin'), entry('seal.json')]) {
    rmSync(deleted, { recursive: true });
    // Arrow's vectors are not read before they are first needed.
    expect(pooled(await engine.route({ text, strategy: { name: 'arrow', k: 2 } })).logProb).toEqual(
      pooled(arrow).logProb,
    );
    expect(pooled(await engine.route({ text, strategy })).logProb).toEqual(pooled(wanted).logProb);
    expect(asLocal(await engine.info()).hash).toBe(wanted.source.hash);
    expect(entries()).toHaveLength(1);
  }
});

it('a pool that changed while it was read is not cached under its old hash', () => {
  const composing = () => compose(readPool(pool), 'the hash of other files', new Cache(cache), []);
  expect(composing).toThrow(expect.objectContaining({ code: 'pool-invalid' }));
  expect(entries()).toEqual([]);
});

it('files that lie beside the model but do not belong to it are not read, whatever their size', async () => {
  const wanted = asLocal(await (await open()).info()).hash;
  const stray = path.join(pool, 'base/core.dump');
  writeFileSync(stray, '');
  // It would take a minute to read, though it takes no space on the disk.
  truncateSync(stray, 2 ** 35);
  try {
    expect(asLocal(await (await open()).info()).hash).toBe(wanted);
    spoil(data, (bytes) => (bytes[0]! ^= 1));
    expect(asLocal(await (await open()).info()).hash).not.toBe(wanted);
    spoil(data, (bytes) => (bytes[0]! ^= 1));
    expect(asLocal(await (await open()).info()).hash).toBe(wanted);
  } finally {
    rmSync(stray);
  }
});

it('the cache holds copies that are not the pool’s own files', async () => {
  await (await open()).route({ text, strategy });
  expect(readFileSync(entry('base-0.bin')).equals(readFileSync(data))).toBe(true);
  expect(statSync(entry('base-0.bin')).ino).not.toBe(statSync(data).ino);
  expect(statSync(data).nlink).toBe(1);
});

/** Another user, who may not write where root did; without root, the tests remove their own permissions. */
const isRoot = process.getuid?.() === 0;
const nobody = isRoot ? { uid: 65534, gid: 65534 } : {};
const bin = builtCli();

function gander(): { code: number | null; error: string } {
  const args = [bin, 'route', '--pool', pool, '--cache', cache, 'the model'];
  const { status, stderr } = spawnSync(process.execPath, args, { ...nobody, encoding: 'utf8' });
  return { code: status, error: stderr };
}

/** Runs `work` with this mode on the cache folder. */
function withMode<T>(mode: number, work: () => T): T {
  for (const folder of [path.dirname(pool), pool]) chmodSync(folder, 0o755);
  // The temporary folder of all tests may be accessible to root only.
  const parent = path.dirname(cache);
  chmodSync(parent, statSync(parent).mode | 0o011);
  chmodSync(cache, mode);
  try {
    return work();
  } finally {
    chmodSync(cache, 0o755);
  }
}

const mayRun = spawnSync(process.execPath, [bin, '--version'], nobody).status === 0;

it.skipIf(!mayRun)('a complete cache is enough if nothing can be written', async () => {
  await (await open()).route({ text, strategy });
  expect(withMode(0o555, gander)).toEqual({ code: 0, error: '' });
});

it.skipIf(!mayRun)('an incomplete cache that cannot be written gives one clear line', () => {
  const { code, error } = withMode(0o555, gander);
  expect(code).toBe(1);
  expect(error).toMatch(/^gander: The cache folder .* cannot be written \(E\w+\)\. Choose a folder .*\n$/);
});

it.skipIf(!mayRun || !isRoot)('entries that cannot be deleted stay, and the run goes on', () => {
  const others = ['a', 'b', 'c', 'd', 'e'].map((digit) => digit.repeat(32));
  for (const name of others) mkdirSync(path.join(cache, name));
  // Sticky: everybody may write, but delete only their own files.
  expect(withMode(0o1777, gander)).toEqual({ code: 0, error: '' });
  expect(entries()).toHaveLength(6);
});

it.skipIf(!mayRun || !isRoot)('a damaged entry that cannot be replaced gives one clear line', async () => {
  await (await open()).route({ text, strategy });
  spoil(entry('experts.bin'), (bytes) => bytes.fill(1));
  const { code, error } = withMode(0o1777, gander);
  expect(code).toBe(1);
  expect(error).toMatch(/^gander: The cache folder .* cannot be written .*\n$/);
});
