/** What onnxruntime would do by default: report to its maker, and write to the terminal. */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { EngineClient } from '../../src/engine/client.js';
import { parseModel, writeModel } from '../../src/graph/model.js';
import { builtCli, builtEngine, copyOfTinyPool, temporaryFolder, tinyPool, pooled } from './support.js';

const strategy = { name: 'phatgoose', k: 2 } as const;
const bin = builtCli();
afterEach(() => vi.unstubAllEnvs());

/** An environment with only empty folders, because onnxruntime sends nothing if it believes that it is being tested. */
function emptyHome(): { folder: string; env: Record<string, string> } {
  const folder = temporaryFolder();
  const at = (name: string) => {
    mkdirSync(path.join(folder, name));
    return path.join(folder, name);
  };
  const env = {
    PATH: process.env['PATH'] ?? '',
    ...Object.fromEntries(['HOME', 'USERPROFILE', 'LOCALAPPDATA', 'APPDATA'].map((name) => [name, at(name)])),
    ...Object.fromEntries(['CACHE', 'CONFIG', 'DATA', 'STATE'].map((n) => [`XDG_${n}_HOME`, at(n)])),
    ...Object.fromEntries(['TMPDIR', 'TEMP', 'TMP'].map((name) => [name, at(name)])),
  };
  return { folder, env };
}

const filesIn = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)));

function gander(args: readonly string[], env: Record<string, string>, cwd: string): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [bin, ...args], { env, cwd, encoding: 'utf8' });
}

it('the command line leaves nothing behind but the cache', () => {
  const { folder, env } = emptyHome();
  const { status, stderr } = gander(['route', '--pool', tinyPool, 'the model'], env, folder);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const files = filesIn(folder);
  expect(files.length).toBeGreaterThan(0);
  const caches = ['CACHE/gander/', 'HOME/Library/Caches/gander/', 'LOCALAPPDATA/gander/Cache/'].map((name) =>
    path.normalize(name),
  );
  expect(files.filter((file) => !caches.some((cache) => file.startsWith(cache)))).toEqual([]);
});

it('the engine’s process leaves nothing behind but the cache', async () => {
  const { folder, env } = emptyHome();
  for (const name of Object.keys(process.env)) vi.stubEnv(name, env[name]);
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  const cache = path.join(folder, 'graphs');
  const client = new EngineClient({ entry: builtEngine(), pool: tinyPool, cache, threads: 1, chunk: 256 });
  try {
    expect(pooled(await client.route({ text: 'the model', strategy })).done).toBeGreaterThan(0);
  } finally {
    client.dispose();
  }
  expect(filesIn(folder).filter((file) => !file.startsWith(`graphs${path.sep}`))).toEqual([]);
  expect(filesIn(cache).length).toBeGreaterThan(0);
});

type Model = ReturnType<typeof parseModel>;
const embedding = ({ graph }: Model) =>
  graph.node.find(({ opType, input }) => opType === 'Gather' && input[1] === 'input_ids')!;

it.each<[string, (model: Model) => void, RegExp]>([
  [
    'cannot be loaded',
    (model) => (embedding(model).opType = 'NoSuch\x1b[31mThing'),
    /onnxruntime refuses the model: .*NoSuch·\[31mThing/,
  ],
  [
    'fails while it runs',
    (model) => {
      const node = embedding(model);
      const table = model.graph.initializer.find(({ name }) => name === node.input[0])!;
      // Only one row, so that the first token is out of bounds.
      const row = table.rawData.subarray(0, table.rawData.length / Number(table.dims[0]));
      model.graph.initializer.push({ ...table, name: 'cut', dims: [1n, table.dims[1]!], rawData: row });
      node.input[0] = 'cut';
    },
    /The model cannot be run: .*title··\[2J/,
  ],
])('a model that %s gives one plain line in the terminal', (_, spoil, wanted) => {
  const pool = copyOfTinyPool();
  const file = path.join(pool, 'base/model.onnx');
  const model = parseModel(readFileSync(file));
  embedding(model).name = '\x1b]0;title\x07\x1b[2J\r\n';
  spoil(model);
  writeFileSync(file, writeModel(model));
  const { folder, env } = emptyHome();
  const { status, stderr, stdout } = gander(['route', '--pool', pool, 'the model'], env, folder);
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toMatch(wanted);
  // eslint-disable-next-line no-control-regex -- they are what must not be there
  expect(stderr).toMatch(/^gander: [^\x00-\x1f\x7f-\x9f]*\n$/);
});
