/** Pools that kill, hang or bloat the child; children that send nonsense; hosts that disappear. */
import { fork } from 'node:child_process';
import { cpSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { EngineClient, type EngineClientOptions } from '../../src/engine/client.js';
import { allowance } from '../../src/engine/guard.js';
import type { RouteRequest } from '../../src/requests/api.js';
import { GanderError } from '../../src/errors/errors.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { poolThatAborts, poolThatHangs, poolThatSwells, poolWhoseTextGrows, poolWithTokenizer } from './hostile.js';
import { builtEngine, isAlive, pooled, processorTime, temporaryFolder, tinyPool, until } from './support.js';

const strategy = { name: 'phatgoose', k: 2 } as const;
const text = 'a model routes each token';
const longText = 'the model routes each token to the experts '.repeat(8);
const cache = temporaryFolder();
const clients: EngineClient[] = [];
type Json = Record<string, unknown>;
let entry: string;

beforeAll(() => {
  entry = builtEngine();
});
afterAll(() => clients.forEach((client) => client.dispose()));

function clientWith(options: Partial<EngineClientOptions> = {}): EngineClient {
  const client = new EngineClient({ entry, pool: tinyPool, cache, threads: 1, chunk: 16, ...options });
  clients.push(client);
  return client;
}

async function failure(asked: Promise<unknown>): Promise<GanderError> {
  const error = await asked.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(GanderError);
  return error as GanderError;
}

/** Its files are 30 MB larger, but take no space on the disk. */
function largePoolThatHangs(): string {
  const pool = poolThatHangs();
  const file = path.join(pool, 'base/more.bin');
  writeFileSync(file, '');
  truncateSync(file, 30 * 2 ** 20);
  return pool;
}

describe('a pool that', { tags: ['slow'] }, () => {
  it.each<[string, () => string, Partial<EngineClientOptions>, string]>([
    ['aborts the process', poolThatAborts, {}, 'died ('],
    ['keeps native code busy forever', poolThatHangs, { deadlineMs: 5000 }, 'gave no sign of life for 5 s'],
    ['is large may load for longer, and', largePoolThatHangs, { deadlineMs: 3000 }, 'gave no sign of life for 6 s'],
    ['makes a tensor of gigabytes', () => poolThatSwells(3 * 2 ** 30), { memory: 2 ** 30 }, 'GB of memory'],
    ['makes a text grow without end', () => poolWhoseTextGrows(6), { memory: 2 ** 30 }, 'GB of memory'],
  ])('%s is named when the first child dies, and no other child is started for it', async (_, make, options, why) => {
    const pool = make();
    const client = clientWith({ pool, ...options });
    const error = await failure(client.route({ text, strategy }));
    expect(error).toMatchObject({ code: 'pool-invalid' });
    expect(error.message).toContain(pool);
    expect(error.message).toContain(why);
    expect(client.pid).toBeUndefined();
    expect(await failure(client.route({ text, strategy }))).toMatchObject({ message: error.message });
    expect(client.pid).toBeUndefined();
    expect(pooled(await clientWith().route({ text, strategy })).done).toBeGreaterThan(0);
  });

  it('is repaired works after a restart', async () => {
    const pool = poolThatAborts();
    const client = clientWith({ pool });
    expect((await failure(client.route({ text, strategy }))).code).toBe('pool-invalid');
    cpSync(path.join(tinyPool, 'base/tokenizer.json'), path.join(pool, 'base/tokenizer.json'));
    client.restart();
    expect(pooled(await client.route({ text, strategy })).done).toBeGreaterThan(0);
  });
});

describe('a tokenizer with', () => {
  it.each<[string, (json: Json) => void]>([
    [
      'an expression that backtracks without end',
      (json) => (json['normalizer'] = { type: 'Replace', pattern: { Regex: '(a+)+$' }, content: 'b' }),
    ],
    [
      'a character map that is not one',
      (json) => (json['normalizer'] = { type: 'Precompiled', precompiled_charsmap: '////////AAAA' }),
    ],
    [
      'a merge that splits a character',
      (json) => {
        // The one-byte prefix is cut off the second part, whose first character has two bytes.
        const model = json['model'] as { merges: string[][]; continuing_subword_prefix: string };
        model.continuing_subword_prefix = '#';
        model.merges.unshift(['t', 'Ġ']);
      },
    ],
  ])('%s is refused with a reason, or does no harm', async (_, change) => {
    const pool = poolWithTokenizer(change);
    const client = clientWith({ pool, deadlineMs: 4000 });
    const answer = await client.route({ text: `${'a'.repeat(60)}!`, strategy }).then(
      (trace) => trace,
      (thrown: unknown) => thrown,
    );
    if (answer instanceof Error) {
      expect(answer).toBeInstanceOf(GanderError);
      expect(answer).toMatchObject({ code: expect.stringMatching(/^(pool|tokenizer)-invalid$/) as string });
      expect(answer.message).toMatch(/tokenizer|pool/);
    } else expect(pooled(answer as Trace).done).toBeGreaterThan(0);
    expect(pooled(await clientWith().route({ text, strategy })).done).toBeGreaterThan(0);
  });
});

it('a child whose host is killed ends by itself while native code runs', { tags: ['slow'] }, async () => {
  const hostFile = path.join(temporaryFolder(), 'host.cjs');
  const options = JSON.stringify({ pool: poolThatHangs(), cache, threads: 1, chunk: 16 });
  writeFileSync(
    hostFile,
    `const child = require('node:child_process').fork(${JSON.stringify(entry)}, { serialization: 'advanced' });
     child.send({ type: 'start', options: ${options} });
     child.send({ type: 'call', id: 1, name: 'info', partial: false });
     child.send({ type: 'call', id: 2, name: 'route', request: { text: 'a', strategy: { name: 'base' } }, partial: false });
     child.on('message', (m) => m.type === 'result' && process.send(child.pid));`,
  );
  const host = fork(hostFile);
  onTestFinished(() => void host.kill('SIGKILL'));
  const pid = await new Promise<number>((resolve) => host.once('message', (message) => resolve(message as number)));
  // Opening the pool takes at most a second of processor time; anything after that is the loop.
  await until(() => processorTime(pid) >= 3);
  expect(isAlive(pid)).toBe(true);
  host.kill('SIGKILL');
  await until(() => !isAlive(pid));
});

it('allows a large pool what it needs, and never the whole machine', () => {
  const gigabyte = 2 ** 30;
  expect(allowance(0.1 * gigabyte, 64 * gigabyte)).toBeGreaterThan(4 * gigabyte);
  expect(allowance(0.1 * gigabyte, 64 * gigabyte)).toBeLessThan(6 * gigabyte);
  expect(allowance(8 * gigabyte, 64 * gigabyte)).toBeGreaterThan(40 * gigabyte);
  expect(allowance(1000 * gigabyte, 16 * gigabyte)).toBeLessThan(16 * gigabyte);
});

describe('a child that', () => {
  /** Sends what the script says when it is called. */
  const saying = (what: string) => {
    const file = path.join(temporaryFolder(), 'child.cjs');
    writeFileSync(
      file,
      `process.on('disconnect', () => process.exit()); process.send({ type: 'ready' }); process.on('message', (m) => { if (m.type === 'call') { ${what} } });`,
    );
    return clientWith({ entry: file });
  };
  const head = `{ done: [0] }`;
  const piece = (what: string) => `process.send({ type: 'piece', id: m.id, piece: ${what} });`;
  const block = `{ from: 0, to: 1, sequence: 0, experts: 1, k: 1, sharedExperts: 0 }`;
  const frame = piece(
    `{ part: 'frame', frame: { source: {}, router: {}, interventions: [], expertSets: [], modules: [{}], sequences: [{ predictions: 0 }], blocks: [${block}] } }`,
  );
  const tokens = (count: string) => piece(`{ part: 'tokens', sequence: 0, kept: 0, tokens: { count: ${count} } }`);
  const cells = (chosen: string) =>
    piece(
      `{ part: 'cells', sent: 'first', sequence: 0, from: 0, count: 1, columns: {}, blocks: [{ block: 0, columns: { chosen: ${chosen} } }] }`,
    );

  it.each<[string, string, string?]>([
    ['nothing', 'null'],
    ['a word', `'hello'`],
    ['an unknown type', `{ type: 'magic', id: m.id }`],
    ['no id', `{ type: 'result', result: {} }`],
    ['no result', `{ type: 'result', id: m.id }`],
    ['no error', `{ type: 'error', id: m.id, error: 'oh' }`],
    ['an error without a code', `{ type: 'error', id: m.id, error: { code: 'x', message: '', remedy: '' } }`],
    ['a trace without a head', `{ type: 'result', id: m.id }`],
    ['a trace without its pieces', `{ type: 'result', id: m.id, result: ${head} }`],
    ['a partial trace without its pieces', `{ type: 'partial', id: m.id, part: ${head} }`],
    ['a piece of nothing', `{ type: 'piece', id: m.id, piece: {} }`],
    ['progress that is not a number', `{ type: 'progress', id: m.id, done: 'much' }`],
    ['a piece for a trace without a frame', '0', `${tokens('1')}${cells('new Int16Array(1)')}`],
    ['cells of no tokens', '0', `${frame}${cells('new Int16Array(1)')}`],
    ['cells of another size', '0', `${frame}${tokens('1')}${cells('new Int16Array(2)')}`],
    ['tokens that are too many', '0', `${frame}${tokens('2 ** 52')}${cells('new Int16Array(1)')}`],
    [
      'fewer texts than tokens',
      '0',
      piece(`{ part: 'tokens', sequence: 0, kept: 0, tokens: { count: 2, text: [''] } }`),
    ],
    [
      'a trace of more than its tokens',
      `{ type: 'result', id: m.id, result: { done: [2] } }`,
      `${frame}${tokens('1')}`,
    ],
    ['a trace without its choices', `{ type: 'result', id: m.id, result: { done: [0] } }`, `${frame}${tokens('1')}`],
  ])('sends %s is ended, and requests are answered with an error', async (_, message, before = '') => {
    const client = saying(`${before} process.send(${message})`);
    const error = await failure(client.route({ text, strategy }, { onPartial: () => undefined }));
    expect(error).toMatchObject({ code: 'engine-died' });
    expect(error.message).toContain('makes no sense');
  });
});

describe('a request that', () => {
  const broken: [string, unknown][] = [
    ['is nothing', null],
    ['has no strategy', { text }],
    ['has no k', { text, strategy: { name: 'phatgoose' } }],
    ['has a k that is NaN', { text, strategy: { name: 'phatgoose', k: NaN } }],
    ['has a k of another type', { text, strategy: { name: 'phatgoose', k: 2n } }],
    ['has an unknown strategy', { text, strategy: { name: 'magic' } }],
    ['has a text that is not a string', { text: 5, strategy }],
    ['contains a function', { text, strategy, interventions: [() => 5] }],
    ['has an unknown what-if', { text, strategy, interventions: [{ action: 'bless', expert: 'Zeta', scope: {} }] }],
    [
      'biases logits by no number',
      { text, strategy, interventions: [{ action: 'logit-bias', expert: 'Zeta', amount: NaN, scope: {} }] },
    ],
    [
      'names an expert that does not exist',
      { text, strategy, interventions: [{ action: 'knock-out', expert: 'nobody', scope: {} }] },
    ],
  ];

  it('is malformed is refused, and the same child serves the next', async () => {
    const client = clientWith();
    await client.info();
    const { pid } = client;
    for (const [what, request] of broken)
      expect(await failure(client.route(request as RouteRequest)), what).toMatchObject({ code: 'request-invalid' });
    for (const wrong of [{ maxTokens: NaN }, { maxTokens: 1, temperature: Infinity }, { maxTokens: 1, seed: NaN }, {}])
      expect(await failure(client.generate({ text, strategy, ...(wrong as { maxTokens: number }) }))).toMatchObject({
        code: 'request-invalid',
      });
    expect(pooled(await client.route({ text, strategy })).done).toBeGreaterThan(0);
    expect(client.pid).toBe(pid);
    expect(client.state).toEqual({ name: 'ready', busy: false });
  });

  it('asks for more experts than there are gets all of them, and the trace says how many', async () => {
    const client = clientWith();
    const many = await client.route({ text, strategy: { name: 'phatgoose', k: 999_999_999 } });
    const n = pooled(many).experts.length;
    expect(pooled(many).strategy).toEqual({ name: 'phatgoose', k: n });
    expect(pooled(many).k).toBe(n);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('mine');
      },
    ],
    ['rejects', () => Promise.reject(new Error('mine'))],
  ])('has a listener that %s fails, and no other request does', async (_, listener) => {
    const client = clientWith();
    for (const options of [{ onProgress: listener }, { onPartial: listener }]) {
      const both = [failure(client.route({ text: longText, strategy }, options)), client.route({ text, strategy })];
      const [error, trace] = (await Promise.all(both)) as [GanderError, Trace];
      expect(error).toMatchObject({ code: 'request-invalid' });
      expect(error.message).toContain('mine');
      expect(pooled(trace).done).toBeGreaterThan(0);
    }
    await until(() => client.state.name === 'ready' && !client.state.busy);
  });

  it('is far too long is refused before it is tokenized', async () => {
    const client = clientWith();
    await client.info();
    const error = await failure(client.route({ text: 'word '.repeat(1_000_000), strategy }));
    expect(error).toMatchObject({ code: 'text-too-long' });
    expect(error.message).toContain('5000000 characters');
  });
});
