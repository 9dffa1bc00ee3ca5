/** The engine in this process, on the tiny pool. */
import {
  appendFileSync,
  cpSync,
  existsSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineOptions } from '../../src/requests/api.js';
import type { Engine } from '../../src/requests/ask.js';
import { createEngine } from '../../src/engine/local.js';
import { chosenAt, rowsAt } from '../../src/trace/model/access.js';
import { consequences } from '../../src/trace/figures/consequences.js';
import { difference } from '../../src/trace/figures/difference.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { asPool } from '../../src/requests/modelInfo.js';
import { copyOfTinyPool, largestDifference, pooled, temporaryFolder, tinyPool } from './support.js';

const strategy = { name: 'phatgoose', k: 2 } as const;
const text = 'the model routes 🦢 each token\r\n';
const cache = temporaryFolder();
const opened: Engine[] = [];
const open = async (options: Partial<EngineOptions> = {}) => {
  const engine = await createEngine({ pool: tinyPool, cache, threads: 1, chunk: 256, ...options });
  opened.push(engine);
  return engine;
};
let engine: Engine;
beforeAll(async () => {
  engine = await open();
});
afterAll(() => opened.forEach((e) => e.dispose()));

describe('a text', () => {
  it('that is empty is refused', async () => {
    await expect(engine.route({ text: '', strategy })).rejects.toMatchObject({ code: 'text-empty' });
    await expect(engine.generate({ text: '', strategy, maxTokens: 3 })).rejects.toMatchObject({ code: 'text-empty' });
  });

  it('of one token is routed', async () => {
    const trace = await engine.route({ text: 'a', strategy });
    expect([...pooled(trace).tokens.start]).toEqual([-1, 0]);
    expect([...pooled(trace).tokens.special]).toEqual([1, 0]);
    expect(pooled(trace).logProb![0]).toBeNaN();
    expect(pooled(trace).logProb![1]).toBeLessThan(0);
    expect(pooled(trace).score!.every(Number.isFinite)).toBe(true);
  });

  it('as long as the context is routed, one token longer is refused with the limit', async () => {
    // A letter and a line end are one token each, after one special token.
    expect(pooled(await engine.route({ text: 'a\n'.repeat(127) + 'a', strategy })).done).toBe(256);
    await expect(engine.route({ text: 'a\n'.repeat(128), strategy })).rejects.toMatchObject({
      code: 'text-too-long',
      message: expect.stringContaining('256') as string,
    });
  });
});

it('does not generate past the context', async () => {
  const trace = await engine.generate({ text: 'a\n'.repeat(126), strategy, maxTokens: 50 });
  expect(pooled(trace).done).toBe(256);
});

it('never chooses a knocked-out expert, and gives the weights to the others', async () => {
  const trace = await engine.route({
    text,
    strategy,
    interventions: [{ action: 'knock-out', expert: 'alpha', scope: {} }],
  });
  const { chosen, weight } = pooled(trace);
  expect(chosen.includes(1)).toBe(false);
  for (let cell = 0; cell < weight!.length; cell += 2) expect(weight![cell]! + weight![cell + 1]!).toBeCloseTo(1, 5);
});

it('a knock-out for some tokens changes these directly, and others only downstream', async () => {
  const ranges = [
    [3, 6],
    [9, 10],
  ] as const;
  const isIn = (t: number) => ranges.some(([from, to]) => from <= t && t < to);
  const before = await engine.route({ text, strategy });
  const after = await engine.route({
    text,
    strategy,
    interventions: [{ action: 'knock-out', expert: 'alpha', scope: { tokens: ranges } }],
  });
  const alpha = before.expertSets[0]!.experts.findIndex(({ id }) => id === 'alpha');
  const tokens = after.sequences[0]!.done;
  let outside = 0;
  for (let s = 0; s < after.modules.length; s++) {
    const [was, is] = [rowsAt(before, s), rowsAt(after, s)];
    for (let t = 0; t < tokens; t++) {
      const [old, now] = [chosenAt(was, t), chosenAt(is, t)];
      if (isIn(t)) expect(now).not.toContain(alpha);
      else if (now.includes(alpha)) outside++;
      // At the first module nothing has changed yet, and no token sees a later one.
      if (!isIn(t) && (s === 0 || t < 3)) expect(now).toEqual(old);
    }
  }
  expect(outside).toBeGreaterThan(0);
  // The trace agrees: outside the ranges, the intervention has no bias.
  expect(Math.max(...consequences(before, after, difference(before, after)).direct)).toBeGreaterThan(0);
  for (let t = 0; t < tokens; t++) expect(rowsAt(after, 0).whatIf!.at(t).bias[alpha]).toBe(isIn(t) ? -Infinity : 0);
  // Also in chunks that end inside a range.
  const parts = await (await open({ chunk: 4 })).route({ text, strategy, interventions: after.interventions });
  expect(pooled(parts).chosen).toEqual(pooled(after).chosen);
});

it('chooses nothing if all experts are knocked out, and equals the base', async () => {
  const interventions = ['Zeta', 'alpha', 'beta-10', 'beta-2'].map(
    (expert) => ({ action: 'knock-out', expert, scope: {} }) as const,
  );
  const silenced = pooled(await engine.route({ text, strategy, interventions }));
  expect(silenced.chosen.every((e) => e === -1)).toBe(true);
  expect(silenced.weight!.every((w) => w === 0)).toBe(true);
  expect(silenced.logProb).toEqual(pooled(await engine.route({ text, strategy: { name: 'base' } })).logProb);
});

it('equals single(e) if e is forced everywhere', async () => {
  const forced = await engine.route({
    text,
    strategy,
    interventions: [{ action: 'force', expert: 'beta-2', scope: {} }],
  });
  const single = await engine.route({ text, strategy: { name: 'single', expert: 'beta-2' } });
  expect(pooled(forced).logProb).toEqual(pooled(single).logProb);
});

it('gives the same for any chunk size', async () => {
  const whole = pooled(await engine.route({ text, strategy }));
  for (const chunk of [1, 2, 5]) {
    const parts = pooled(await (await open({ chunk })).route({ text, strategy }));
    expect(parts.chosen).toEqual(whole.chosen);
    for (const name of ['score', 'weight', 'contribution', 'logProb', 'topLogProb'] as const)
      expect(largestDifference(parts[name]!, whole[name]!)).toBeLessThan(2e-5);
  }
});

it('streams partial traces that grow into the whole', async () => {
  const chunked = await open({ chunk: 4 });
  const partial: ReturnType<typeof pooled>[] = [];
  const onPartial = (trace: Trace) => partial.push(structuredClone(pooled(trace)));
  const whole = pooled(await chunked.route({ text, strategy }, { onPartial }));
  expect(partial.map(({ done }) => done)).toEqual([4, 8]);
  const [t, n] = [whole.tokens.ids.length, whole.experts.length];
  for (const { score, chosen, weight, done } of partial) {
    expect(score!.subarray(0, done * n)).toEqual(whole.score!.subarray(0, done * n));
    expect(score!.subarray(done * n, t * n).every(Number.isNaN)).toBe(true);
    expect(weight!.subarray(done * 2, t * 2).every(Number.isNaN)).toBe(true);
    expect(chosen.subarray(done * 2, t * 2).every((e) => e === -1)).toBe(true);
  }
});

it('begins no chunk before the last partial trace is taken', async () => {
  const chunked = await open({ chunk: 4 });
  const seen: string[] = [];
  await chunked.route(
    { text, strategy },
    {
      onProgress: (done) => seen.push(`ran ${done}`),
      onPartial: async (trace) => {
        const { done } = pooled(trace);
        await new Promise((resolve) => setTimeout(resolve, 20));
        seen.push(`took ${done}`);
      },
    },
  );
  expect(seen.slice(0, 4)).toEqual(['ran 4', 'took 4', 'ran 8', 'took 8']);
});

it('stops between chunks when cancelled', async () => {
  const chunked = await open({ chunk: 2 });
  const abort = new AbortController();
  const seen: number[] = [];
  const onProgress = (done: number) => {
    seen.push(done);
    if (done === 4) abort.abort();
  };
  await expect(chunked.route({ text, strategy }, { signal: abort.signal, onProgress })).rejects.toMatchObject({
    code: 'cancelled',
  });
  expect(seen).toEqual([2, 4]);
});

describe('a run that was stopped', () => {
  /** What it had done when it was stopped after 4 tokens. */
  async function stopped(engine: Engine): Promise<Trace> {
    const abort = new AbortController();
    let shown: Trace | undefined;
    const run = engine.route(
      { text, strategy },
      {
        signal: abort.signal,
        onPartial: (trace) => {
          shown = trace;
          if (pooled(trace).done === 4) abort.abort();
        },
      },
    );
    await expect(run).rejects.toMatchObject({ code: 'cancelled' });
    return shown!;
  }

  /** How far each part of the next run was. */
  async function progressOf(engine: Engine, request: Parameters<Engine['route']>[0]) {
    const seen: number[] = [];
    const trace = await engine.route(request, { onProgress: (done) => seen.push(done) });
    return { seen, trace };
  }

  it('goes on where it was if it is asked for again, and gives the trace of an unbroken one', async () => {
    const chunked = await open({ chunk: 2 });
    const whole = await chunked.route({ text, strategy });
    expect(pooled(await stopped(chunked)).done).toBe(4);
    await chunked.info();
    const { seen, trace } = await progressOf(chunked, { text, strategy });
    expect(seen.slice(0, 2)).toEqual([4, 6]);
    const [own, other] = [pooled(trace), pooled(whole)];
    expect(own.tokens).toEqual(other.tokens);
    expect([...own.chosen]).toEqual([...other.chosen]);
    expect(largestDifference(own.score!, other.score!)).toBeLessThan(2e-5);
    expect(largestDifference(own.logProb!.subarray(1), other.logProb!.subarray(1))).toBeLessThan(2e-5);
  });

  it('can be stopped twice', async () => {
    const chunked = await open({ chunk: 2 });
    await stopped(chunked);
    await expect(chunked.route({ text, strategy }, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect((await progressOf(chunked, { text, strategy })).seen[0]).toBe(4);
  });

  it.each([
    ['another text', { text: 'another model', strategy }],
    ['another strategy', { text, strategy: { name: 'phatgoose', k: 1 } }],
    ['a what-if', { text, strategy, interventions: [{ action: 'knock-out', expert: 'alpha', scope: {} }] }],
  ] as const)('is forgotten when %s is asked for', async (_, other) => {
    const chunked = await open({ chunk: 2 });
    await stopped(chunked);
    expect((await progressOf(chunked, other)).seen[0]).toBe(2);
    expect((await progressOf(chunked, { text, strategy })).seen[0]).toBe(2);
  });
});

describe('generation', () => {
  it('routes what it writes in the same way as when it is given', async () => {
    const generated = pooled(await engine.generate({ text: 'the model', strategy, maxTokens: 12 }));
    expect(generated.text!.startsWith('the model')).toBe(true);
    expect(generated.done).toBe(generated.tokens.ids.length);
    const given = pooled(await engine.route({ text: generated.text!, strategy }));
    // With random weights, the tokenizer might split the written text differently; up to there, both must agree.
    let same = 0;
    while (same < given.tokens.ids.length && given.tokens.ids[same] === generated.tokens.ids[same]) same++;
    expect(same).toBeGreaterThan(4);
    expect(largestDifference(generated.logProb!.subarray(0, same), given.logProb!.subarray(0, same))).toBeLessThan(
      2e-5,
    );
    expect([...generated.tokens.start.subarray(0, same)]).toEqual([...given.tokens.start.subarray(0, same)]);
  });

  it('is greedy by default: each token is the likeliest after the one before', async () => {
    const { tokens, topIds, predictions } = pooled(
      await engine.generate({ text: 'the model', strategy, maxTokens: 8 }),
    );
    const prompt = pooled(await engine.route({ text: 'the model', strategy })).tokens.ids.length;
    for (let t = prompt; t < tokens.ids.length; t++) expect(tokens.ids[t]).toBe(topIds![(t - 1) * predictions]);
  });

  it('is the same for the same seed', async () => {
    const write = async (seed: number) =>
      pooled(await engine.generate({ text: 'the model', strategy, maxTokens: 10, temperature: 1.5, topP: 0.95, seed }))
        .text;
    expect(await write(4)).toBe(await write(4));
    expect(new Set([await write(4), await write(5), await write(6)]).size).toBeGreaterThan(1);
  });

  it('refuses options that mean nothing', async () => {
    for (const wrong of [
      { maxTokens: -1 },
      { maxTokens: 1.5 },
      { maxTokens: 1, temperature: -1 },
      { maxTokens: 1, topP: 0 },
      { maxTokens: 1, temperature: NaN },
    ]) {
      await expect(engine.generate({ text, strategy, ...wrong })).rejects.toMatchObject({ code: 'request-invalid' });
    }
  });
});

it('attributes by knocking out each expert in turn', async () => {
  const { experts, logProb, change } = await engine.attribute({ text, strategy });
  expect(experts.map(({ id }) => id)).toEqual(['Zeta', 'alpha', 'beta-10', 'beta-2']);
  const without = await engine.route({
    text,
    strategy,
    interventions: [{ action: 'knock-out', expert: 'beta-10', scope: {} }],
  });
  for (let t = 1; t < logProb.length; t++)
    expect(change[t * 4 + 2]).toBeCloseTo(pooled(without).logProb![t]! - logProb[t]!, 5);
  expect(change.subarray(0, 4).every(Number.isNaN)).toBe(true);
});

it('scores the predicted text, each byte once', async () => {
  const score = await engine.score({ text, strategy });
  const { logProb } = pooled(await engine.route({ text, strategy }));
  expect(score.bits).toBeCloseTo(-logProb!.slice(1).reduce((sum, p) => sum + p, 0) / Math.LN2, 4);
  expect(score.bytes).toBe(Buffer.byteLength(text));
  expect(score.tokens).toBe(logProb!.length - 1);
});

it('merging the factors of equal experts gives each of them', async () => {
  const pool = copyOfTinyPool();
  for (const id of readdirSync(path.join(pool, 'experts')))
    if (id !== 'alpha') rmSync(path.join(pool, 'experts', id), { recursive: true });
  // Two experts, so that nothing is rounded: sums and means have the type of the stored numbers.
  cpSync(path.join(pool, 'experts/alpha'), path.join(pool, 'experts/beta'), { recursive: true });
  const alike = await open({ pool });
  const merged = pooled(await alike.route({ text, strategy: { name: 'merged-factors' } }));
  const single = pooled(await alike.route({ text, strategy: { name: 'single', expert: 'beta' } }));
  expect(largestDifference(merged.logProb!, single.logProb!)).toBeLessThan(2e-5);
  const base = pooled(await alike.route({ text, strategy: { name: 'base' } }));
  expect(largestDifference(merged.logProb!, base.logProb!)).toBeGreaterThan(1e-3);
  expect(merged.chosen.every((e) => e === -1)).toBe(true);
});

it('refuses what the pool does not offer', async () => {
  const pool = copyOfTinyPool();
  rmSync(path.join(pool, 'multitask'), { recursive: true });
  rmSync(path.join(pool, 'experts/Zeta/activation.safetensors'));
  const poorer = await open({ pool });
  const { strategies, warnings } = asPool(await poorer.info());
  expect(strategies).not.toContain('multitask');
  expect(strategies).not.toContain('average-activation');
  expect(warnings[0]!.text).toMatch(/multitask/);
  await expect(poorer.route({ text, strategy: { name: 'multitask' } })).rejects.toMatchObject({
    code: 'strategy-unavailable',
  });
});

it('serves all strategies as before after a request for the multitask adapter', async () => {
  const fresh = await open();
  const before = await fresh.route({ text, strategy });
  await fresh.route({ text, strategy: { name: 'multitask' } });
  const after = await fresh.route({ text, strategy });
  expect(after.expertSets).toEqual(before.expertSets);
  expect(pooled(after).chosen).toEqual(pooled(before).chosen);
  expect(largestDifference(pooled(after).logProb!, pooled(before).logProb!)).toBeLessThan(2e-5);
});

it('notices an expert that appears, changes or disappears', async () => {
  const pool = copyOfTinyPool();
  const watching = await open({ pool });
  const first = asPool(await watching.info());
  cpSync(path.join(pool, 'experts/beta-2'), path.join(pool, 'experts/new'), { recursive: true });
  const second = asPool(await watching.info());
  expect(second.experts.map(({ id }) => id)).toEqual(['Zeta', 'alpha', 'beta-10', 'beta-2', 'new']);
  expect(second.hash).not.toBe(first.hash);
  expect(pooled(await watching.route({ text, strategy })).experts).toHaveLength(5);
  rmSync(path.join(pool, 'experts/new'), { recursive: true });
  expect(asPool(await watching.info()).hash).toBe(first.hash);
});

it('places the modules that it can, and names those that it cannot', async () => {
  const pool = copyOfTinyPool();
  const file = path.join(pool, 'experts/alpha/adapter_model.safetensors');
  const { readFileSync } = await import('node:fs');
  // Of the same length, so that the header's offsets stay right.
  writeFileSync(
    file,
    readFileSync(file, 'latin1').replaceAll('layers.1.mlp.up_proj', 'layers.9.mlp.up_proj'),
    'latin1',
  );
  const { warnings, modules } = await (await open({ pool })).info();
  expect(warnings.map(({ text: told }) => told)).toEqual([
    expect.stringMatching(
      /"alpha": 1 of 14 vectors in gate\.safetensors are for modules that it does not adapt: .*layers\.1\.mlp\.up_proj/,
    ),
    expect.stringMatching(/"alpha": 1 of 14 vectors in activation\.safetensors are for modules that it does not adapt/),
    expect.stringMatching(/"alpha": 13 of 14 modules.*layers\.9\.mlp\.up_proj was not: looked for/),
  ]);
  const up = (layer: number) => expect.stringContaining(`layers.${layer}.mlp.up_proj`) as string;
  expect(warnings.map(({ code, expert, module }) => ({ code, expert, module }))).toEqual([
    { code: 'vectors-unused', expert: 'alpha', module: up(1) },
    { code: 'vectors-unused', expert: 'alpha', module: up(1) },
    { code: 'modules-not-placed', expert: 'alpha', module: up(9) },
  ]);
  expect(modules).toHaveLength(14);
});

describe('the cache', () => {
  const composed = (folder: string) => readdirSync(folder).filter((name) => /^[0-9a-f]{32}$/.test(name));

  it('is used by the next engine, made again when damaged, and kept small', async () => {
    const own = temporaryFolder();
    const wanted = pooled(await (await open({ cache: own })).route({ text, strategy }));
    const [entry] = composed(own);
    const model = path.join(own, entry!, 'model.onnx');
    const made = statSync(model).mtimeMs;
    await (await open({ cache: own })).route({ text, strategy });
    expect(statSync(model).mtimeMs).toBe(made);

    for (const spoil of [
      () => truncateSync(model, 1000),
      () => appendFileSync(model, 'x'),
      () => rmSync(path.join(own, entry!, 'experts.bin')),
      () => writeFileSync(path.join(own, entry!, 'plan.json'), '{}'),
      () => writeFileSync(path.join(own, entry!, 'seal.json'), 'nonsense'),
    ]) {
      spoil();
      expect(pooled(await (await open({ cache: own })).route({ text, strategy })).logProb).toEqual(wanted.logProb);
    }
    expect(composed(own)).toHaveLength(1);
  });

  it('removes the pools that were not used for the longest time', async () => {
    const own = temporaryFolder();
    for (let i = 0; i < 6; i++) {
      const pool = copyOfTinyPool();
      writeFileSync(path.join(pool, 'base/note.txt'), String(i));
      await (await open({ pool, cache: own })).info();
      for (const name of composed(own)) utimesSync(path.join(own, name), i, i);
    }
    expect(composed(own).length).toBeLessThanOrEqual(4);
  });

  it('never writes into the pool or, through links, to its files', async () => {
    const pool = copyOfTinyPool();
    const before = readdirSync(pool, { recursive: true }).sort();
    await (await open({ pool, cache: temporaryFolder() })).route({ text, strategy });
    expect(readdirSync(pool, { recursive: true }).sort()).toEqual(before);
  });

  it('that cannot be created is an error', async () => {
    const file = path.join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    await expect(
      createEngine({ pool: tinyPool, cache: path.join(file, 'cache'), threads: 1, chunk: 8 }),
    ).rejects.toMatchObject({ code: 'io' });
    expect(existsSync(file)).toBe(true);
  });
});

it('refuses requests after it is disposed', async () => {
  const closing = await open();
  closing.dispose();
  await expect(closing.info()).rejects.toMatchObject({ code: 'engine-unavailable' });
});

it('begins a request only once all that was answered before has left', async () => {
  const happened: string[] = [];
  let leave = () => {};
  const emptied = () => {
    happened.push('waits');
    return new Promise<void>((resolve) => (leave = resolve));
  };
  const full = await createEngine(
    { pool: tinyPool, cache, threads: 1, chunk: 256 },
    { loading: () => Promise.resolve(), device: () => Promise.resolve(), emptied },
  );
  opened.push(full);
  const answered = full.info().then(() => happened.push('answered'));
  await expect.poll(() => happened).toEqual(['waits']);
  happened.push('left');
  leave();
  await answered;
  expect(happened).toEqual(['waits', 'left', 'answered']);
});
