import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { poolLimits } from '../../../src/checks/limits.js';
import { Cache, readCached } from '../../../src/engine/runtime/cache.js';
import { parseModel, setExternal, writeModel } from '../../../src/graph/model.js';

const key = (digit: string) => digit.repeat(32);
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'gander-cache-'));
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

const large = (fill: number) => Buffer.alloc(9 * 2 ** 20, fill);
const make = (into: string) => {
  writeFileSync(path.join(into, 'large.bin'), large(1));
  writeFileSync(path.join(into, 'small.json'), '{}');
  // A time that can be restored to the nanosecond.
  for (const name of ['large.bin', 'small.json']) utimesSync(path.join(into, name), 1, 1);
};
const never = () => {
  throw new Error('it was made again');
};
/** Other bytes in the same file, of the same length and with the same modification time. */
const overwrite = (file: string, content: Buffer | string) => {
  const { atime, mtime } = statSync(file);
  writeFileSync(file, content, { flag: 'r+' });
  utimesSync(file, atime, mtime);
};
const deadPid = () => spawnSync(process.execPath, ['--version']).pid;

it('does not read a data file of which the model uses next to nothing', () => {
  const [model, data] = ['model.onnx', 'model.data'].map((name) => path.join(folder, name));
  const written = parseModel(readFileSync(new URL('../../fixtures/tiny-pool/base/model.onnx', import.meta.url)));
  setExternal(written.graph.initializer[0]!, 'model.data', 16, 64);
  writeFileSync(model!, writeModel(written));
  writeFileSync(data!, '');
  const cache = new Cache(path.join(folder, 'cache'));
  truncateSync(data!, 2 * 80 + poolLimits.unusedData);
  expect(cache.dataFiles(model!)).toEqual(['model.data']);
  truncateSync(data!, 2 * 80 + poolLimits.unusedData + 1);
  expect(() => cache.dataFiles(model!)).toThrow(/^model\.data has 1\.1 GB, and the model uses 80 bytes of it/);
});

describe('an entry', () => {
  it('is made once, for other caches too', () => {
    const entry = new Cache(folder).entry(key('a'), make);
    expect(readdirSync(entry.folder).sort()).toEqual(['large.bin', 'seal.json', 'small.json']);
    expect(new Cache(folder).entry(key('a'), never)).toEqual(entry);
  });

  it('with bytes changed in place is made again, whatever its size and times say', () => {
    const cache = new Cache(folder);
    const entry = cache.entry(key('a'), make);
    overwrite(path.join(entry.folder, 'large.bin'), large(2));
    expect(cache.holds(entry)).toBe(false);
    const again = cache.entry(key('a'), make);
    expect(again.seal).not.toBe(entry.seal);
    expect(readFileSync(path.join(again.folder, 'large.bin')).equals(large(1))).toBe(true);
    expect(cache.holds(again)).toBe(true);
  });

  it('that was copied, with new times but the same bytes, is not made again', () => {
    const { folder: at } = new Cache(folder).entry(key('a'), make);
    for (const name of readdirSync(at)) utimesSync(path.join(at, name), 2, 2);
    const cache = new Cache(folder);
    const entry = cache.entry(key('a'), never);
    expect(cache.holds(entry)).toBe(true);
  });

  it('without a valid seal is made again', () => {
    const { folder: at } = new Cache(folder).entry(key('a'), make);
    for (const nothing of ['{}', 'null', '[]', '{"large.bin":1}', '']) {
      writeFileSync(path.join(at, 'seal.json'), nothing);
      rmSync(path.join(at, 'small.json'), { force: true });
      new Cache(folder).entry(key('a'), make);
      expect(existsSync(path.join(at, 'small.json'))).toBe(true);
    }
  });

  it('that is gone is not held, and its files cannot be read', () => {
    const cache = new Cache(folder);
    const entry = cache.entry(key('a'), make);
    rmSync(entry.folder, { recursive: true });
    expect(cache.holds(entry)).toBe(false);
    expect(() => readCached(path.join(entry.folder, 'small.json'))).toThrow(expect.objectContaining({ code: 'io' }));
  });

  it('is made even if something else is in its place', () => {
    writeFileSync(path.join(folder, key('a')), 'a file');
    const { folder: at } = new Cache(folder).entry(key('a'), make);
    expect(existsSync(path.join(at, 'large.bin'))).toBe(true);
    expect(readdirSync(folder)).toEqual([key('a')]);
  });

  it('that is in use is not removed', () => {
    const cache = new Cache(folder, 2);
    const used = cache.entry(key('a'), make);
    utimesSync(used.folder, 1, 1);
    utimesSync(cache.entry(key('b'), make).folder, 2, 2);
    expect(cache.holds(used)).toBe(true);
    cache.entry(key('c'), make);
    expect(readdirSync(folder).sort()).toEqual([key('a'), key('c')]);
  });
});

describe('a hash', () => {
  const sha = (content: string) => createHash('sha256').update(content).digest('hex');
  const later = () => vi.useFakeTimers({ now: Date.now() + 60_000, toFake: ['Date'] });

  it('is remembered, by other caches too', () => {
    const file = path.join(folder, 'file');
    writeFileSync(file, 'one');
    later();
    const cache = new Cache(path.join(folder, 'cache'));
    expect(cache.hash(file)).toBe(sha('one'));
    cache.save();
    expect(readFileSync(path.join(folder, 'cache/hashes.json'), 'utf8')).toContain(sha('one'));
  });

  it('is different for other bytes of the same size and time', () => {
    const file = path.join(folder, 'file');
    writeFileSync(file, 'one');
    later();
    const cache = new Cache(path.join(folder, 'cache'));
    cache.hash(file);
    cache.save();
    overwrite(file, 'two');
    expect(cache.hash(file)).toBe(sha('two'));
    expect(new Cache(path.join(folder, 'cache')).hash(file)).toBe(sha('two'));
    // Another file with the first one's size and time.
    const { atime, mtime } = statSync(file);
    writeFileSync(`${file}.new`, 'six');
    utimesSync(`${file}.new`, atime, mtime);
    renameSync(`${file}.new`, file);
    expect(cache.hash(file)).toBe(sha('six'));
  });

  it('is not remembered for a file that was written to just now, and may be again in the same instant', () => {
    const file = path.join(folder, 'file');
    writeFileSync(file, 'one');
    const cache = new Cache(path.join(folder, 'cache'));
    cache.hash(file);
    cache.save();
    expect(readFileSync(path.join(folder, 'cache/hashes.json'), 'utf8')).toBe('{}');
  });

  it.each(['null', '[]', '{"x":null}', '{"x":{"size":1}}', '"', ''])('ignores a hashes.json with %j', (text) => {
    writeFileSync(path.join(folder, 'hashes.json'), text);
    const file = path.join(folder, 'file');
    writeFileSync(file, 'one');
    const cache = new Cache(folder);
    expect(cache.hash(file)).toBe(sha('one'));
    cache.save();
    expect(JSON.parse(readFileSync(path.join(folder, 'hashes.json'), 'utf8'))).toEqual({});
  });
});

describe('the folder', () => {
  it('is cleared at once of what killed processes left unfinished, and of nothing else', () => {
    const host = hostname().replace(/[^\w-]/g, '_');
    const dead = deadPid();
    const left = [`${key('a')}.${host}-${dead}.tmp`, `${key('b')}.old.${host}-${dead}.tmp`];
    const others = [
      `${key('a')}.${host}-${process.ppid}.tmp`,
      `${key('a')}.elsewhere-${dead}.tmp`,
      'photographs',
      'notes.tmp',
      'thesis.tmp',
    ];
    for (const name of [...left, ...others]) mkdirSync(path.join(folder, name));
    new Cache(folder, 1).entry(key('c'), make);
    expect(readdirSync(folder).sort()).toEqual([...others, key('c')].sort());
  });

  it('may contain other things, which are never removed as old entries', () => {
    const others = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => path.join(folder, `photographs-${name}`));
    for (const other of others) mkdirSync(other);
    const cache = new Cache(folder, 1);
    cache.entry(key('a'), make);
    cache.entry(key('b'), make);
    expect(others.every((other) => existsSync(other))).toBe(true);
    expect(existsSync(path.join(folder, key('a')))).toBe(false);
  });

  it('is an error if it is not a folder', () => {
    writeFileSync(path.join(folder, 'file'), '');
    for (const at of ['file', 'file/cache', 'file/cache/deeper'])
      expect(() => new Cache(path.join(folder, at))).toThrow(
        expect.objectContaining({ code: 'io', message: expect.stringContaining(path.join(folder, at)) as string }),
      );
  });

  it.skipIf(!existsSync('/proc/self'))('that cannot be made where it should lie is an error, not a wait', () => {
    expect(() => new Cache('/proc/gander/cache')).toThrow(expect.objectContaining({ code: 'io' }));
  });

  it.skipIf(!existsSync('/dev/full'))('on a full disk is an error that says so, and nothing half made stays', () => {
    const full = () => writeFileSync('/dev/full', 'x');
    expect(() => new Cache(folder).entry(key('a'), full)).toThrow(
      expect.objectContaining({ code: 'io', message: expect.stringContaining('no space') as string }),
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is not blamed for faults of what an entry is made from', () => {
    expect(() => new Cache(folder).entry(key('a'), () => readFileSync(path.join(tmpdir(), 'no such file')))).toThrow(
      expect.objectContaining({ code: 'ENOENT' }),
    );
  });
});
