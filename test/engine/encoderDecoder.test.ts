/** A pool on a tiny T5: agreement with the PyTorch reference, what can be asked, and what is refused. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineOptions } from '../../src/requests/api.js';
import type { Engine } from '../../src/requests/ask.js';
import { composePair, findInPair } from '../../src/engine/families/encoder-decoder/compose.js';
import { PairSession } from '../../src/engine/families/encoder-decoder/session.js';
import { PoolRecording, inputAndOutput } from '../../src/engine/families/lora-pool/recording.js';
import { StrategySteering } from '../../src/engine/families/lora-pool/steering.js';
import { createEngine } from '../../src/engine/local.js';
import { Cache } from '../../src/engine/runtime/cache.js';
import { Recorder } from '../../src/engine/runtime/recorder.js';
import { Tokenizer } from '../../src/engine/runtime/tokenizer.js';
import { DataType, parseModel, valueInfo, writeModel } from '../../src/graph/model.js';
import { poolHash } from '../../src/pool/hash.js';
import { readPool } from '../../src/pool/pool.js';
import { asPool } from '../../src/requests/modelInfo.js';
import { routerOf, strategyOfRouter, type Strategy } from '../../src/strategies/index.js';
import { decodeTrace, encodeTrace } from '../../src/trace/file/file.js';
import type { Intervention } from '../../src/trace/model/trace.js';
import { expectAlike, target, text } from './pairs.js';
import { goldens, largestDifference, root, temporaryFolder, tinyPool } from './support.js';

const folder = path.join(root, 'test/fixtures/tiny-t5');
const strategy: Strategy = { name: 'phatgoose', k: 2 };
const [first, , third] = readPool(folder).experts.map(({ id }) => id) as [string, string, string];

const cache = temporaryFolder();
const engines: Engine[] = [];
async function open(options: Partial<EngineOptions> = {}): Promise<Engine> {
  const engine = await createEngine({ pool: folder, cache, threads: 1, chunk: 8, ...options });
  engines.push(engine);
  return engine;
}
let engine: Engine;
beforeAll(async () => {
  engine = await open();
});
afterAll(() => engines.forEach((one) => one.dispose()));

describe('the PyTorch reference', () => {
  it.each(goldens('tiny-t5'))('gives the same: $name', async ({ name, trace: golden }) => {
    const written = name.endsWith('-generated');
    const trace = await engine.route({
      text,
      strategy: strategyOfRouter(golden.router),
      interventions: golden.interventions,
      ...(written ? { maxTokens: 19 } : { target }),
    });
    expect(trace.router).toEqual(golden.router);
    expectAlike(trace, golden);
  });
});

it('computes the same with only the chosen experts as with all of them', async () => {
  const pool = readPool(folder);
  const graphs = new Cache(temporaryFolder());
  const composed = composePair(pool, poolHash(pool, graphs), graphs, ['merged-factors'], 'gathered');
  expect(composed.plan.form).toBe('gathered');
  // The cross-attention's keys and values of all layers read the same input, but are kept separate by layer.
  expect(composed.plan.graphs).toEqual([
    { rows: 14, groups: 8 },
    { rows: 4, groups: 2 },
    { rows: 18, groups: 12 },
  ]);
  const session = await PairSession.open(composed, 1);
  const { ids: input } = await new Tokenizer(pool.base.tokenizer).encode(text);
  const scoped: Intervention[] = [
    { action: 'knock-out', expert: first, scope: { kind: 'cross-v' } },
    { action: 'force', expert: third, scope: { sequence: 1, token: 2 } },
  ];
  for (const [asked, interventions] of [
    [strategy, []],
    [strategy, scoped],
    [{ name: 'merged' }, []],
    [{ name: 'merged-factors' }, []],
  ] as const) {
    const wanted = await engine.route({ text, target, strategy: asked, interventions });
    const { plan } = session;
    const steering = new StrategySteering(plan, asked, interventions);
    const told = { plan, experts: wanted.expertSets[0]!.experts, router: routerOf(asked), interventions };
    const recording = new PoolRecording(
      { ...told, source: wanted.source, vectors: steering.router, k: steering.width },
      inputAndOutput,
    );
    const reads = wanted.sequences.map((sequence) => ({ text: sequence.text!, tokens: sequence.tokens }));
    const recorder = new Recorder(
      recording,
      reads.map(({ tokens }) => tokens.count),
      String,
    );
    const encoded = await session.encode(input, steering);
    recorder.add(encoded, input.length, 0);
    const ids = reads[1]!.tokens.ids!;
    const targets = ids.map((_, i) => ids[i + 1] ?? 0);
    recorder.add(await session.run({ ids, targets, done: 0, past: encoded.past }, steering), ids.length, 1);
    expectAlike(recorder.trace(reads), wanted);
  }
  await session.release();
});

it('says that it takes a target, and which modules see which sequence', async () => {
  const info = asPool(await engine.info());
  expect(info.hasTarget).toBe(true);
  const over = (kind: string, stack = 'decoder') =>
    new Set(
      info.modules.filter((module) => module.kind === kind && module.stack === stack).map(({ sequence }) => sequence),
    );
  expect(over('q', 'encoder')).toEqual(new Set([0]));
  expect(over('cross-k')).toEqual(new Set([0]));
  expect(over('cross-v')).toEqual(new Set([0]));
  for (const kind of ['q', 'cross-q', 'cross-o', 'gate', 'down']) expect(over(kind)).toEqual(new Set([1]));
});

it('gives a trace that can be saved and opened again unchanged', async () => {
  const trace = await engine.route({ text, target, strategy });
  expect(trace.blocks.map(({ sequence }) => sequence)).toEqual([0, 1, 0, 1, 0, 1]);
  expect(decodeTrace(encodeTrace(trace))).toEqual(trace);
});

describe('text that it writes', () => {
  it('is routed in the same way as when it is given', async () => {
    const written = await engine.generate({
      text,
      target: 'because the gate',
      strategy,
      maxTokens: 6,
      temperature: 1,
      seed: 3,
    });
    const output = written.sequences[1]!;
    expect(output.text).toMatch(/^because the gate/);
    const given = await engine.route({ text, target: output.text!, strategy });
    // With random weights, the tokenizer might split the written text differently; up to there, both must agree.
    const [mine, theirs] = [output.tokens.ids!, given.sequences[1]!.tokens.ids!];
    let same = 0;
    while (same < theirs.length && mine[same] === theirs[same]) same++;
    expect(same).toBeGreaterThan(4);
    const logProb = given.sequences[1]!.logProb!.subarray(0, same);
    expect(largestDifference(output.logProb!.subarray(0, same), logProb)).toBeLessThan(1e-4);
  });

  it('is the same for the same seed', async () => {
    const write = async (seed: number) => {
      const options = { maxTokens: 10, temperature: 1.5, topP: 0.95, seed };
      return (await engine.generate({ text, strategy, ...options })).sequences[1]!.text;
    };
    expect(await write(4)).toBe(await write(4));
    expect(new Set([await write(4), await write(5), await write(6)]).size).toBeGreaterThan(1);
  });

  it('has at most the given length, and is reported as it grows', async () => {
    const seen: number[] = [];
    const trace = await engine.route(
      { text, strategy, maxTokens: 5 },
      { onProgress: (done, total) => seen.push(total - done) },
    );
    expect(trace.sequences[1]!.tokens.count).toBe(6);
    expect(seen).toEqual([6, 5, 4, 3, 2, 1, 0]);
  });
});

it('streams the input first, then the output chunk by chunk', async () => {
  const seen: number[][] = [];
  await engine.route(
    { text, target, strategy },
    { onPartial: (trace) => seen.push(trace.sequences.map(({ done }) => done)) },
  );
  expect(seen).toEqual([
    [16, 0],
    [16, 8],
    [16, 16],
  ]);
});

it('stops between chunks when cancelled', async () => {
  const abort = new AbortController();
  const seen: number[] = [];
  const onProgress = (done: number) => {
    seen.push(done);
    if (done === 24) abort.abort();
  };
  const run = engine.route({ text, target, strategy }, { signal: abort.signal, onProgress });
  await expect(run).rejects.toMatchObject({ code: 'cancelled' });
  expect(seen).toEqual([16, 24]);
  // The input is not read again.
  const again: number[] = [];
  const trace = await engine.route({ text, target, strategy }, { onProgress: (done) => again.push(done) });
  expect(again[0]).toBe(24);
  const whole = await engine.route({ text, target, strategy });
  for (const [s, { logProb }] of trace.sequences.entries())
    if (logProb)
      expect(largestDifference(logProb.subarray(1), whole.sequences[s]!.logProb!.subarray(1))).toBeLessThan(2e-5);
});

it('attributes the output, given or written, by knocking out each expert in both stacks', async () => {
  for (const output of [{ target }, { maxTokens: 4 }]) {
    const { experts, logProb, change } = await engine.attribute({ text, ...output, strategy });
    const whole = await engine.route({ text, ...output, strategy });
    const n = experts.length;
    expect(experts.map(({ id }) => id)).toEqual(whole.expertSets[0]!.experts.map(({ id }) => id));
    expect(logProb).toHaveLength(whole.sequences[1]!.tokens.count);
    const interventions = [{ action: 'knock-out', expert: third, scope: {} }] as const;
    const written = whole.sequences[1]!.text!;
    if (!('target' in output)) continue;
    const without = await engine.route({ text, target: written, strategy, interventions });
    const other = without.sequences[1]!.logProb!;
    for (let t = 1; t < logProb.length; t++) expect(change[t * n + 2]).toBeCloseTo(other[t]! - logProb[t]!, 5);
    expect(Math.max(...change.subarray(n).map(Math.abs))).toBeGreaterThan(1e-3);
  }
});

it('scores the target that was predicted, and asks for one', async () => {
  const score = await engine.score({ text, target, strategy });
  const { logProb } = (await engine.route({ text, target, strategy })).sequences[1]!;
  expect(score.bits).toBeCloseTo(-logProb!.slice(1).reduce((sum, p) => sum + p, 0) / Math.LN2, 4);
  expect(score.bytes).toBe(Buffer.byteLength(target));
  await expect(engine.score({ text, strategy })).rejects.toMatchObject({ code: 'request-invalid' });
});

it('routes an empty target: the start token, and what may follow it', async () => {
  const { tokens, topIds } = (await engine.route({ text, target: '', strategy })).sequences[1]!;
  expect([...tokens.ids!]).toEqual([0]);
  const written = await engine.route({ text, strategy, maxTokens: 1 });
  expect(written.sequences[1]!.tokens.ids![1]).toBe(topIds![0]);
});

it('refuses a target for a model that continues its text', async () => {
  const causal = await open({ pool: tinyPool });
  const asked = causal.route({ text, target, strategy });
  await expect(asked).rejects.toMatchObject({
    code: 'request-invalid',
    message: expect.stringMatching(/no target/) as unknown,
  });
});

it('places the modules of a T5 and no others', () => {
  const self = 'decoder.block.0.layer.0.SelfAttention.q';
  const { modules, missing } = findInPair(readPool(folder), [self, 'model.decoder.layers.0.self_attn.q_proj']);
  expect([...modules.keys()]).toEqual([self]);
  expect([...missing]).toEqual([['model.decoder.layers.0.self_attn.q_proj', 'it is not a module of a T5']]);
});

describe('a base that cannot be run is refused in one line', () => {
  function spoilt(file: string, change: (model: ReturnType<typeof parseModel>) => void): string {
    const copy = path.join(temporaryFolder(), 'pool');
    cpSync(folder, copy, { recursive: true });
    const at = path.join(copy, 'base', file);
    const model = parseModel(readFileSync(at));
    change(model);
    writeFileSync(at, writeModel(model));
    return copy;
  }
  const why = async (pool: string) =>
    (await open({ pool })).info().then(String, (error: unknown) => (error as Error).message);

  it('with both decoders in branches', async () => {
    const pool = spoilt('decoder_model.onnx', ({ graph }) =>
      graph.input.push(valueInfo('use_cache_branch', DataType.BOOL, [1])),
    );
    expect(await why(pool)).toMatch(/^decoder_model.onnx contains the decoder without and with past .* as branches/);
  });

  it('with an encoder without a hidden state', async () => {
    const pool = spoilt('encoder_model.onnx', ({ graph }) => (graph.output[0]!.name = 'other'));
    expect(await why(pool)).toBe('The base model has no output "last_hidden_state".');
  });

  it('with decoders of different models', async () => {
    const pool = spoilt('decoder_model.onnx', ({ graph }) => {
      graph.output = graph.output.filter(({ name }) => !name.startsWith('present.1.encoder'));
    });
    expect(await why(pool)).toMatch(
      /takes "past_key_values.1.encoder.key", which the decoder without past does not output/,
    );
  });

  it('with a decoder in which a token sees later ones', async () => {
    const pool = spoilt('decoder_with_past_model.onnx', ({ graph }) => {
      const mask = graph.node.find(({ name }) => name === '/decoder/Greater')!;
      // Nothing is greater than itself, so nothing is masked.
      mask.input[0] = mask.input[1]!;
    });
    const one = await open({ pool });
    await expect(one.route({ text, target, strategy })).rejects.toMatchObject({
      code: 'base-invalid',
      message: expect.stringMatching(/different numbers for two tokens at once and for one after the other/) as unknown,
    });
  });

  it('without a start token', async () => {
    const copy = path.join(temporaryFolder(), 'pool');
    cpSync(folder, copy, { recursive: true });
    writeFileSync(path.join(copy, 'base/config.json'), '{"is_encoder_decoder": true}');
    expect(await why(copy)).toBe('base/config.json does not name a decoder_start_token_id.');
  });
});
