/** A card that fails, hangs, dies or computes something else: planted where onnxruntime is called, in a real child. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EngineClient, type EngineClientOptions } from '../../src/engine/client.js';
import { keepOutcome } from '../../src/engine/device.js';
import type { DeviceUse, Outcome, Subject } from '../../src/requests/device.js';
import { builtEngine, pooled, temporaryFolder, tinyPool } from './support.js';

const request = { text: 'the model routes each token', strategy: { name: 'phatgoose', k: 2 } } as const;
const clients: EngineClient[] = [];
afterAll(() => clients.forEach((client) => client.dispose()));

/** What the planted provider does, where `run` is the real session's, on the processor, and `runs` counts it. */
const plants = {
  agrees: '',
  refuses: `opened = () => { throw new Error('no adapter\\nat some place'); };`,
  hangs: `ran = () => { for (;;); };`,
  dies: `ran = () => process.abort();`,
  'gives NaN': `ran = (outputs) => each(outputs, () => NaN);`,
  'differs in value': `ran = (outputs) => each(outputs, (x) => 1.1 * x);`,
  'differs in choice': `ran = (outputs) => each(outputs, (x, name) => (name.includes('affinity') ? -x : x));`,
  'fails in a later run': `ran = () => { if (runs > 2) throw new Error('lost the device'); };`,
  'hangs in a later run': `ran = () => { if (runs > 2) for (;;); };`,
  'dies in a later run': `ran = () => { if (runs > 2) process.abort(); };`,
} as const;
type Plant = keyof typeof plants;

/** The engine's script, in which every card is the planted one. It writes a line for each time that a card is asked for. */
function planted(plant: Plant): { readonly entry: string; readonly asked: () => number } {
  const folder = temporaryFolder();
  const [entry, log] = ['engine.cjs', 'asked'].map((name) => path.join(folder, name)) as [string, string];
  writeFileSync(log, '');
  writeFileSync(
    entry,
    `const ort = require(${JSON.stringify(createRequire(import.meta.url).resolve('onnxruntime-node'))});
    const create = ort.InferenceSession.create;
    let runs = 0, opened = () => {}, ran = () => {};
    const each = (outputs, change) => {
      for (const [name, { data }] of Object.entries(outputs))
        if (data instanceof Float32Array) data.forEach((x, i) => (data[i] = change(x, name)));
    };
    ${plants[plant]}
    ort.InferenceSession.create = async (file, { executionProviders, ...options }) => {
      if (!executionProviders) return create(file, options);
      if (executionProviders.length !== 1) throw new Error('several providers at once');
      require('node:fs').appendFileSync(${JSON.stringify(log)}, 'x');
      opened();
      const session = await create(file, options);
      const run = session.run.bind(session);
      session.run = async (...of) => {
        runs++;
        const outputs = await run(...of);
        ran(outputs);
        return outputs;
      };
      return session;
    };
    require(${JSON.stringify(builtEngine())});`,
  );
  return { entry, asked: () => readFileSync(log, 'utf8').length };
}

function clientWith(entry: string, cache: string, options: Partial<EngineClientOptions> = {}): EngineClient {
  const pool = { pool: tinyPool, cache, threads: 1, chunk: 64 };
  const client = new EngineClient({ ...pool, entry, device: 'webgpu', deadlineMs: 5000, ...options });
  clients.push(client);
  return client;
}

const outcomeOf = (use: DeviceUse | undefined) => use?.tried[0]?.outcome;
const plain = clientWith('', '', { entry: builtEngine(), cache: temporaryFolder(), device: 'cpu' });
const wanted = plain.route(request);

/** Everything but where it was computed. */
async function expectProcessors(trace: Awaited<typeof wanted>) {
  const { chosen, score, logProb } = pooled(trace);
  expect([chosen, score, logProb]).toEqual([
    pooled(await wanted).chosen,
    pooled(await wanted).score,
    pooled(await wanted).logProb,
  ]);
}

describe('a card that', () => {
  it.each([
    ['refuses', 'failed', /^no adapter$/],
    ['hangs', 'failed', /no sign of life for 5 s/],
    ['dies', 'failed', /died \((SIGABRT|exit code \d+)\)/],
    ['gives NaN', 'failed', /not finite/],
    ['differs in value', 'differs', /scores differ/],
    ['differs in choice', 'differs', /other experts|scores differ/],
    ['fails in a later run', 'failed', /^lost the device$/],
    ['hangs in a later run', 'failed', /no sign of life for 5 s/],
    ['dies in a later run', 'failed', /died \((SIGABRT|exit code \d+)\)/],
  ] as const)('%s: the processor answers in that run, and the card is not asked again', async (plant, result, why) => {
    const { entry, asked } = planted(plant);
    const cache = temporaryFolder();
    const client = clientWith(entry, cache);
    const uses: DeviceUse[] = [];
    client.onDeviceChange((use) => uses.push(use));
    const trace = await client.route(request);
    await expectProcessors(trace);
    expect(trace.source.versions['onnxruntime']).not.toContain('webgpu');
    expect(client.state.name).toBe('ready');
    const told = { asked: 'webgpu', provider: 'cpu', tried: [{ card: 'webgpu', outcome: { result } }] };
    expect(client.device).toMatchObject(told);
    expect((outcomeOf(client.device) as { why: string }).why).toMatch(why);
    // Once, and once more only where it first seemed to work.
    expect(uses.filter(({ provider }) => provider === 'cpu')).toHaveLength(1);
    const before = asked();
    const next = clientWith(entry, cache);
    await expectProcessors(await next.route(request));
    expect(next.device).toMatchObject(told);
    expect(asked()).toBe(before);
  });

  it('agrees: it is used, which the trace says, and what was found is told and kept', async () => {
    const { entry, asked } = planted('agrees');
    const cache = temporaryFolder();
    const client = clientWith(entry, cache);
    const trace = await client.route(request);
    await expectProcessors(trace);
    expect(trace.source.versions['onnxruntime']).toMatch(/ \(webgpu\)$/);
    expect(client.device).toMatchObject({
      provider: 'webgpu',
      tried: [{ outcome: { result: 'agrees', difference: 0 } }],
    });
    expect(await client.info()).toMatchObject({ device: client.device });
    expect(asked()).toBe(2);
    await clientWith(entry, cache).route(request);
    expect(asked()).toBe(3);
  });
});

describe('auto', () => {
  /** As if a try had found that. */
  function found(cache: string, outcome: Outcome, changed: Partial<Subject> = {}): void {
    const folder = path.join(cache, 'devices');
    const [file] = readdirSync(folder);
    const { outcome: _, ...subject } = JSON.parse(readFileSync(path.join(folder, file!), 'utf8')) as Subject & {
      outcome: Outcome;
    };
    keepOutcome(cache, { ...subject, ...changed }, outcome);
  }
  const agrees = { result: 'agrees', tokens: 64, difference: 0 } as const;

  it('asks no card by itself', async () => {
    const { entry, asked } = planted('agrees');
    const client = clientWith(entry, temporaryFolder(), { device: 'auto' });
    await client.route(request);
    expect(client.device).toEqual({ asked: 'auto', provider: 'cpu', tried: [] });
    expect(asked()).toBe(0);
  });

  it.each([
    ['faster', { ...agrees, speed: 3 }, {}, 'webgpu'],
    ['slower', { ...agrees, speed: 0.5 }, {}, 'cpu'],
    ['hardly faster', { ...agrees, speed: 1.1 }, {}, 'cpu'],
    ['wrong', { result: 'differs', why: 'x' }, {}, 'cpu'],
    ['faster with another driver', { ...agrees, speed: 3 }, { driver: 'another' }, 'cpu'],
    ['faster with another version', { ...agrees, speed: 3 }, { versions: 'another' }, 'cpu'],
  ] as const)('goes by a try that found a card %s', async (_, outcome, changed, provider) => {
    const { entry } = planted('agrees');
    const cache = temporaryFolder();
    await clientWith(entry, cache).info();
    found(cache, outcome, changed);
    const client = clientWith(entry, cache, { device: 'auto' });
    await expectProcessors(await client.route(request));
    expect(client.device?.provider).toBe(provider);
  });

  it('falls back from a card, too', async () => {
    const { entry } = planted('fails in a later run');
    const cache = temporaryFolder();
    await clientWith(entry, cache).info();
    found(cache, { ...agrees, speed: 3 });
    const { entry: dying } = planted('dies');
    const client = clientWith(dying, cache, { device: 'auto' });
    await expectProcessors(await client.route(request));
    expect(client.device?.provider).toBe('cpu');
  });
});

it('tries a card again when that is asked for', async () => {
  const cache = temporaryFolder();
  await clientWith(planted('refuses').entry, cache).info();
  const { entry } = planted('agrees');
  const kept = clientWith(entry, cache);
  await kept.info();
  expect(kept.device?.provider).toBe('cpu');
  const again = clientWith(entry, cache, { tryAgain: true });
  await again.info();
  expect(again.device?.provider).toBe('webgpu');
});

it('takes a model that is at fault for what it is', async () => {
  const { entry } = planted('agrees');
  const client = clientWith(entry, temporaryFolder());
  await client.info();
  await expect(client.route({ ...request, strategy: { name: 'single', expert: 'nobody' } })).rejects.toThrow('nobody');
  expect(client.device?.provider).toBe('webgpu');
});
