/** What becomes of an answer when the cache or the pool is changed underneath. */
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import type { Engine } from '../../src/engine/api.js';
import { Cache } from '../../src/engine/cache.js';
import { compose } from '../../src/engine/compose.js';
import { createEngine } from '../../src/engine/local.js';
import { parseModel, setExternal, writeModel } from '../../src/graph/model.js';
import { readPool } from '../../src/pool/pool.js';
import { copyOfTinyPool, temporaryFolder } from './support.js';

const strategy = { name: 'phatgoose', k: 2 } as const;
const text = 'the model routes 🦢 each token\r\n';
const opened: Engine[] = [];
afterAll(() => opened.forEach((engine) => engine.dispose()));

/** A pool whose base keeps its weights beside the model, where they can be overwritten. */
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

/** As a person or a failing disk would who leaves size and time as they were. */
function spoil(file: string, how: (bytes: Buffer) => void): void {
  const { atime, mtime } = statSync(file);
  const bytes = readFileSync(file);
  how(bytes);
  writeFileSync(file, bytes, { flag: 'r+' });
  utimesSync(file, atime, mtime);
}

it('a base that is overwritten in place gives no trace of what is not finite, and put back gives what it gave', async () => {
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
  expect(again.pool.hash).toBe(wanted.pool.hash);
  expect(again.logProb).toEqual(wanted.logProb);
});

it('an entry of which bytes are spoilt is composed anew, by the engine that has it open and by the next', async () => {
  const engine = await open();
  const wanted = await engine.route({ text, strategy });
  for (const who of [() => engine, open]) {
    for (const name of ['experts.bin', 'base-0.bin', 'phatgoose.bin']) {
      spoil(entry(name), (bytes) => bytes.fill(0x7f, 0, Math.min(3000, bytes.length)));
      expect((await (await who()).route({ text, strategy })).logProb).toEqual(wanted.logProb);
    }
  }
});

it('a cache that is deleted while an engine runs is filled again', async () => {
  const engine = await open();
  const wanted = await engine.route({ text, strategy });
  const arrow = await (await open()).route({ text, strategy: { name: 'arrow', k: 2 } });
  for (const deleted of [cache, entry('.'), entry('arrow.bin'), entry('seal.json')]) {
    rmSync(deleted, { recursive: true });
    // Its vectors are first read when they are first asked for.
    expect((await engine.route({ text, strategy: { name: 'arrow', k: 2 } })).logProb).toEqual(arrow.logProb);
    expect((await engine.route({ text, strategy })).logProb).toEqual(wanted.logProb);
    expect((await engine.pool()).hash).toBe(wanted.pool.hash);
    expect(entries()).toHaveLength(1);
  }
});

it('what was read of a pool that changed meanwhile is not kept under the name of what it was', () => {
  const composing = () => compose(readPool(pool), 'the hash of other files', new Cache(cache), false);
  expect(composing).toThrow(expect.objectContaining({ code: 'pool-invalid' }));
  expect(entries()).toEqual([]);
});

it('the cache holds copies that are not the pool’s own files', async () => {
  await (await open()).route({ text, strategy });
  expect(readFileSync(entry('base-0.bin')).equals(readFileSync(data))).toBe(true);
  expect(statSync(entry('base-0.bin')).ino).not.toBe(statSync(data).ino);
  expect(statSync(data).nlink).toBe(1);
});
