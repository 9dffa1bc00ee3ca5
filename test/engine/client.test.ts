/** The guarded child process. */
import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { EngineClient, type EngineClientOptions, type EngineState } from '../../src/engine/client.js';
import type { Attribution } from '../../src/requests/api.js';
import { createEngine } from '../../src/engine/local.js';
import { builtEngine, isAlive, temporaryFolder, tinyPool, until, pooled } from './support.js';

const strategy = { name: 'phatgoose', k: 2 } as const;
const text = 'the model routes 🦢 each token';
const longText = 'the model routes each token to the experts '.repeat(8);
const clients: EngineClient[] = [];
const cache = temporaryFolder();
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

/** A child that runs this script, because no tiny model is slow enough to catch in the middle of a run. */
function scripted(body: string): string {
  const file = path.join(temporaryFolder(), 'child.cjs');
  writeFileSync(
    file,
    `process.on('disconnect', () => process.exit()); process.send({ type: 'ready' }); process.on('message', (m) => { ${body} });`,
  );
  return file;
}

it('gives the same answers as the engine in this process, trace for trace', async () => {
  const here = await createEngine({ pool: tinyPool, cache, threads: 1, chunk: 16 });
  const there = clientWith();
  const [mine, theirs] = [await here.route({ text, strategy }), await there.route({ text, strategy })];
  expect({ ...theirs, created: '' }).toEqual({ ...mine, created: '' });
  expect(await there.info()).toEqual(await here.info());
  expect(await there.score({ text, strategy })).toEqual(await here.score({ text, strategy }));
  expect(await there.attribute({ text, strategy })).toEqual(await here.attribute({ text, strategy }));
  here.dispose();
});

it('reports the attribution to each expert as it is done, and together these are the whole', async () => {
  const parts: Attribution[] = [];
  const whole = await clientWith().attribute({ text, strategy }, { onPartial: (part) => parts.push(part) });
  const n = whole.experts.length;
  expect(parts.flatMap(({ experts }) => experts)).toEqual(whole.experts);
  expect(new Set(parts.map(({ of }) => of))).toEqual(new Set([n]));
  parts.forEach(({ change }, e) => expect(change).toEqual(whole.change.filter((_, i) => i % n === e)));
});

it('reports progress and partial traces between chunks', async () => {
  const client = clientWith();
  const progress: number[] = [];
  const partial: number[] = [];
  const trace = await client.route(
    { text: longText, strategy },
    { onProgress: (done) => progress.push(done), onPartial: (t) => partial.push(pooled(t).done) },
  );
  expect(progress.at(-1)).toBe(pooled(trace).done);
  expect(partial).toEqual(progress.slice(0, -1));
  expect(partial.length).toBeGreaterThan(2);
});

it('rejects with the engine’s error code', async () => {
  const client = clientWith();
  await expect(client.route({ text: '', strategy })).rejects.toMatchObject({ code: 'text-empty' });
  await expect(client.route({ text, strategy: { name: 'single', expert: 'nobody' } })).rejects.toMatchObject({
    code: 'request-invalid',
  });
  await expect(clientWith({ pool: '/nowhere' }).info()).rejects.toMatchObject({ code: 'pool-missing' });
});

it('cancels at once, and the child serves the next request', async () => {
  const client = clientWith({ chunk: 1 });
  const abort = new AbortController();
  const routed = client.route({ text: longText, strategy }, { signal: abort.signal, onProgress: () => abort.abort() });
  await expect(routed).rejects.toMatchObject({ code: 'cancelled' });
  const pid = client.pid;
  expect(pooled(await client.route({ text, strategy })).done).toBeGreaterThan(0);
  expect(client.pid).toBe(pid);
  await expect(client.route({ text, strategy }, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: 'cancelled',
  });
});

it(
  'survives a child that is killed in the middle of a run, 50 times in a row',
  { timeout: 300_000, tags: ['slow'] },
  async () => {
    const client = clientWith({ chunk: 1, deaths: { most: 1000, within: 60_000 } });
    const pids = new Set<number>();
    for (let round = 0; round < 50; round++) {
      const routed = client.route(
        { text: longText, strategy },
        { onProgress: (done) => done === 2 && process.kill(client.pid!, 'SIGKILL') },
      );
      pids.add(client.pid!);
      await expect(routed).rejects.toMatchObject({ code: 'engine-died' });
    }
    expect(pids.size).toBe(50);
    expect(pooled(await client.route({ text, strategy })).done).toBeGreaterThan(0);
    await until(() => [...pids].every((pid) => !isAlive(pid)));
  },
);

it('gives up on a child that dies again and again, until restarted', async () => {
  const client = clientWith({
    entry: scripted(
      `if (m.type === 'call') { process.send({ type: 'progress', id: m.id, done: 1, total: 2 }); process.kill(process.pid, 'SIGKILL'); }`,
    ),
  });
  for (let i = 0; i < 5; i++) await expect(client.info()).rejects.toMatchObject({ code: 'engine-died' });
  expect(client.state.name).toBe('failed');
  await expect(client.info()).rejects.toMatchObject({ code: 'engine-unavailable' });
  client.restart();
  await expect(client.info()).rejects.toMatchObject({ code: 'engine-died' });
});

it('kills a child that owes an answer and shows no sign of life', async () => {
  const client = clientWith({ entry: scripted(`if (m.type === 'call') for (;;);`), deadlineMs: 200 });
  const asked = client.info();
  const { pid } = client;
  await expect(asked).rejects.toMatchObject({
    message: expect.stringContaining('no sign of life for 0.2 s') as string,
  });
  await until(() => !isAlive(pid!));
});

it('gives a loading child the time that it announced, but only until it answers', async () => {
  const slow = `setTimeout(() => process.send({ type: 'result', id: m.id, result: {} }), 800);`;
  const client = clientWith({
    entry: scripted(
      `if (m.type === 'call' && m.id === 1) { process.send({ type: 'loading', mayTake: 60000 }); ${slow} } else if (m.type === 'call') { for (;;); }`,
    ),
    deadlineMs: 400,
  });
  expect(await client.info()).toEqual({});
  await expect(client.info()).rejects.toMatchObject({
    message: expect.stringContaining('no sign of life for 0.4 s') as string,
    remedy: expect.stringContaining('gander.engine.deadlineSeconds') as string,
  });
});

it('ends an idle child, and starts another for the next request', async () => {
  const client = clientWith({ idleMs: 100 });
  const states: EngineState['name'][] = [];
  client.onStateChange(({ name }) => states.push(name));
  await client.info();
  const { pid } = client;
  await until(() => client.state.name === 'stopped' && !isAlive(pid!));
  await client.info();
  expect(client.pid).not.toBe(pid);
  expect(states.slice(0, 4)).toEqual(['starting', 'ready', 'ready', 'stopped']);
});

it('rejects what is pending when it is disposed, and leaves no process', async () => {
  const client = clientWith();
  const asked = client.info();
  const { pid } = client;
  client.dispose();
  await expect(asked).rejects.toMatchObject({ code: 'engine-unavailable' });
  await expect(client.info()).rejects.toMatchObject({ code: 'engine-unavailable' });
  await until(() => !isAlive(pid!));
});

it('leaves no orphan when its host is killed', async () => {
  const hostFile = path.join(temporaryFolder(), 'host.cjs');
  writeFileSync(
    hostFile,
    `const child = require('node:child_process').fork(${JSON.stringify(entry)}, { serialization: 'advanced' }); process.send(child.pid); setInterval(() => {}, 1000);`,
  );
  const host = fork(hostFile);
  onTestFinished(() => void host.kill('SIGKILL'));
  const pid = await new Promise<number>((resolve) => host.once('message', (message) => resolve(message as number)));
  expect(isAlive(pid)).toBe(true);
  host.kill('SIGKILL');
  await until(() => !isAlive(pid));
});

it('says so when there is no script to start', async () => {
  await expect(clientWith({ entry: path.join(temporaryFolder(), 'nothing.cjs') }).info()).rejects.toMatchObject({
    code: 'engine-died',
  });
});
