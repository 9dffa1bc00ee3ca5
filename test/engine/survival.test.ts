/** Pools that are damaged or malicious: a typed error, soon, and nothing worse. */
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EngineClient } from '../../src/engine/client.js';
import { random } from '../../src/statistics/random.js';
import { externalOf, parseModel, setExternal, writeModel } from '../../src/graph/model.js';
import { GanderError, errorCodes } from '../../src/errors/errors.js';
import { builtEngine, temporaryFolder, tinyPool } from './support.js';

const folder = path.join(temporaryFolder(), 'pool');
const cache = temporaryFolder();
const strategy = { name: 'phatgoose', k: 2 } as const;
let client: EngineClient;

const restore = () => {
  rmSync(folder, { recursive: true, force: true });
  cpSync(tinyPool, folder, { recursive: true });
  // MiniLM is not needed here.
  rmSync(path.join(folder, 'retriever'), { recursive: true, force: true });
};
const files = () =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();

beforeAll(async () => {
  restore();
  client = new EngineClient({
    entry: builtEngine(),
    pool: folder,
    cache,
    threads: 1,
    chunk: 256,
    deadlineMs: 20_000,
    deaths: { most: 10_000, within: 1 },
  });
  await client.route({ text: 'abc', strategy });
});
afterAll(() => client.dispose());

/** Asks for a route; returns the GanderError, if any. Any other error, or a child that had to be ended, fails the test. */
async function outcome(): Promise<GanderError | undefined> {
  // Otherwise a pool that killed its child would be blamed for all that follow.
  if (client.state.name === 'failed') client.restart();
  const error = await client.route({ text: 'the model 🦢', strategy }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error === undefined) return undefined;
  expect(error).toBeInstanceOf(GanderError);
  const typed = error as GanderError;
  expect(errorCodes).toContain(typed.code);
  expect(typed.code, typed.message).not.toBe('internal');
  expect(typed.message).not.toContain('no sign of life');
  expect(typed.remedy).not.toBe('');
  return typed;
}

/** The most memory that the child ever used, in bytes; known only on Linux. */
function peakMemory(): number {
  const status =
    client.pid !== undefined && existsSync(`/proc/${client.pid}/status`)
      ? readFileSync(`/proc/${client.pid}/status`, 'utf8')
      : '';
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0);
}

type Mutation = (random: () => number) => void;

const pick = <T>(random: () => number, of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
const editJson = (file: string, edit: (json: Record<string, unknown>) => void) => {
  const json = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  edit(json);
  writeFileSync(file, JSON.stringify(json));
};
const nasty = [
  null,
  -1,
  0,
  1e9,
  1e308,
  2 ** 53,
  '',
  '..',
  '../../etc/passwd',
  '/etc/passwd',
  'a\0b',
  'x'.repeat(5000),
  [],
  {},
  [[[]]],
  true,
  { a: { b: {} } },
];
const safetensors = () => files().filter((file) => file.endsWith('.safetensors'));

const mutations: Record<string, Mutation> = {
  truncated: (random) => {
    const file = pick(random, files());
    writeFileSync(file, readFileSync(file).subarray(0, Math.floor(random() * statSync(file).size)));
  },
  'bits flipped': (random) => {
    const file = pick(random, files());
    const bytes = readFileSync(file);
    for (let i = 0; i < 1 + 30 * random(); i++)
      bytes[Math.floor(random() * bytes.length)]! ^= 1 << Math.floor(8 * random());
    writeFileSync(file, bytes);
  },
  'bits flipped at the beginning': (random) => {
    const file = pick(random, files());
    const bytes = readFileSync(file);
    bytes[Math.floor(random() * Math.min(200, bytes.length))]! ^= 1 << Math.floor(8 * random());
    writeFileSync(file, bytes);
  },
  'noise in place of a file': (random) => {
    writeFileSync(
      pick(random, files()),
      Uint8Array.from({ length: 2000 * random() }, () => 256 * random()),
    );
  },
  'a file gone': (random) => rmSync(pick(random, files())),
  'a link in place of a file': (random) => {
    const file = pick(random, files());
    rmSync(file);
    symlinkSync(
      pick(random, ['/etc/passwd', '/dev/zero', file, '..', '/nowhere', path.join(folder, 'pool.json')]),
      file,
    );
  },
  'a value changed in JSON': (random) => {
    const file = pick(
      random,
      files().filter((name) => name.endsWith('.json')),
    );
    editJson(file, (json) => {
      let at = json;
      for (;;) {
        const key = pick(random, Object.keys(at));
        const inner = at[key];
        if (typeof inner === 'object' && inner !== null && Object.keys(inner).length > 0 && random() < 0.7)
          at = inner as Record<string, unknown>;
        else {
          at[key] = pick(random, nasty);
          return;
        }
      }
    });
  },
  'a header that is longer than the file': (random) => {
    const file = pick(random, safetensors());
    const bytes = readFileSync(file);
    bytes.writeBigUInt64LE(pick(random, [2n ** 64n - 1n, 2n ** 63n, 2n ** 40n, BigInt(bytes.length), 0n]), 0);
    writeFileSync(file, bytes);
  },
  'a tensor changed in a header': (random) => {
    const file = pick(random, safetensors());
    const bytes = readFileSync(file);
    const length = Number(bytes.readBigUInt64LE(0));
    const json = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<string, Record<string, unknown>>;
    const entry =
      json[
        pick(
          random,
          Object.keys(json).filter((name) => name !== '__metadata__'),
        )
      ]!;
    entry[pick(random, ['dtype', 'shape', 'data_offsets'])] = pick(random, [
      ...nasty,
      [2 ** 40, 2 ** 40],
      [-1, 4],
      [1, 1, 1],
      [0, 2 ** 50],
      [8, 0],
      'F64',
      'I8',
    ]);
    const header = Buffer.from(JSON.stringify(json));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(file, Buffer.concat([size, header, bytes.subarray(8 + length)]));
  },
  'a tensor changed in the model': (random) => {
    const file = path.join(folder, 'base/model.onnx');
    const model = parseModel(readFileSync(file));
    const tensor = pick(random, model.graph.initializer);
    pick<() => void>(random, [
      () => (tensor.dims = [2n ** 40n, 2n ** 20n]),
      () => (tensor.dims = [-5n]),
      () => (tensor.dims = []),
      () => (tensor.dataType = Math.floor(20 * random())),
      () => (tensor.rawData = tensor.rawData.subarray(1)),
      () =>
        setExternal(
          tensor,
          pick(random, [
            '../pool.json',
            '/etc/passwd',
            'nothing.bin',
            '..',
            '',
            'config.json',
            'a/../../x',
            '/dev/zero',
          ]),
          0,
          64,
        ),
      () =>
        setExternal(
          tensor,
          'config.json',
          pick(random, [-1, 2 ** 60, 1e300, 100_000]),
          pick(random, [-1, 2 ** 60, 64]),
        ),
    ])();
    writeFileSync(file, writeModel(model));
  },
  'a node changed in the model': (random) => {
    const file = path.join(folder, 'base/model.onnx');
    const model = parseModel(readFileSync(file));
    const node = pick(random, model.graph.node);
    pick<() => void>(random, [
      () => (node.input[0] = pick(random, model.graph.node).output[0]!),
      () => (node.input[0] = node.output[0]!),
      () => (node.output[0] = pick(random, model.graph.node).output[0]!),
      () => (node.opType = pick(random, ['Add', 'MatMul', 'Loop', 'NoSuchThing', '', 'Reshape'])),
      () => (node.input = []),
      () => (node.attribute = []),
      () => void model.graph.node.splice(model.graph.node.indexOf(node), 1),
    ])();
    writeFileSync(file, writeModel(model));
  },
};

const kinds = Object.keys(mutations);
/** `npm run fuzz` and fuzz.test.ts damage hundreds of pools; here, the next sound pool must also be served. */
const each = 3;

it.each(kinds)(`survives ${each} pools with %s`, { timeout: 600_000 }, async (kind) => {
  const seeds = fc.sample(fc.integer({ min: 1, max: 2 ** 31 - 1 }), { numRuns: each, seed: kinds.indexOf(kind) });
  for (const seed of seeds) {
    restore();
    mutations[kind]!(random(seed));
    try {
      await outcome();
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
    expect(peakMemory()).toBeLessThan(1.5 * 2 ** 30);
  }
  restore();
  expect(await outcome()).toBeUndefined();
});

it.each<[string, () => void]>([
  ['in pool.json', () => editJson(path.join(folder, 'pool.json'), (json) => (json['experts'] = '../../secret'))],
  [
    'to the model',
    () =>
      editJson(
        path.join(folder, 'pool.json'),
        (json) => ((json['base'] as Record<string, unknown>)['model'] = '/etc/passwd'),
      ),
  ],
  [
    'by a link',
    () => {
      rmSync(path.join(folder, 'base/tokenizer.json'));
      symlinkSync('/etc/passwd', path.join(folder, 'base/tokenizer.json'));
    },
  ],
  ...['../../secret.bin', '/etc/passwd', 'link.bin'].map((location): [string, () => void] => [
    `in external data: ${location}`,
    () => {
      const file = path.join(folder, 'base/model.onnx');
      symlinkSync('/etc/passwd', path.join(folder, 'base/link.bin'));
      const model = parseModel(readFileSync(file));
      setExternal(model.graph.initializer[0]!, location, 0, 64);
      expect(externalOf(model.graph.initializer[0]!)?.location).toBe(location);
      writeFileSync(file, writeModel(model));
    },
  ]),
])('does not follow a path outside %s', async (_, spoil) => {
  restore();
  spoil();
  expect((await outcome())?.code).toBe('pool-unsafe-path');
});
