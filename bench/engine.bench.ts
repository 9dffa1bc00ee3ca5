// The engine: routing with its whole trace compared with the base graph alone and with PyTorch; start times, memory, generation.
// GANDER_BENCH_POOL names a pool other than the one that ships, GANDER_BENCH_THREADS the threads (default 2).
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Cache } from '../src/engine/runtime/cache.js';
import { EngineClient } from '../src/engine/client.js';
import { compose } from '../src/engine/families/lora-pool/compose.js';
import { RoutedSession } from '../src/engine/families/lora-pool/session.js';
import { createEngine } from '../src/engine/local.js';
import type { Trace } from '../src/trace/model/trace.js';
import type { Past } from '../src/engine/runtime/past.js';
import { poolHash } from '../src/pool/hash.js';
import { causalModel, readPool } from '../src/pool/pool.js';
import { BaseSession, composeBase } from './base.js';
import type { Bench, Suite } from './harness.js';
import { tracer } from './sides.js';

const root = process.cwd();
const poolFolder = path.resolve(process.env['GANDER_BENCH_POOL'] ?? path.join(root, 'models/smollm2-135m'));
const threads = Number(process.env['GANDER_BENCH_THREADS'] ?? 2);
const strategy = { name: 'phatgoose', k: 2 } as const;

/** Text of any length: source code of this project. */
const text = readFileSync(path.join(root, 'src/engine/client.ts'), 'utf8');

const suite: Suite = async (bench) => {
  const temporary = mkdtempSync(path.join(tmpdir(), 'gander-bench-'));
  try {
    const cache = path.join(temporary, 'cache');
    await againstBase(bench, cache);
    await whole(bench, cache);
    await starts(bench, temporary);
    await memory(bench, cache);
    pytorch(bench);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
};
export default suite;

async function againstBase(bench: Bench, cacheFolder: string): Promise<void> {
  const pool = readPool(poolFolder);
  const cache = new Cache(cacheFolder);
  const composed = compose(pool, poolHash(pool, cache), cache, []);
  const { plan } = composed;
  const routed = await RoutedSession.open(composed, threads);
  const exported = await BaseSession.open(causalModel(pool), threads);
  const alone = path.join(cacheFolder, 'base');
  mkdirSync(alone);
  const files = composeBase(alone, causalModel(pool));
  const base = await BaseSession.open(files.logits, threads);
  const predicting = await BaseSession.open(files.predictions, threads);
  const trace = tracer(routed, composed, strategy);
  bench.notes['pool'] = `${plan.experts.length} experts, ${plan.modules.length} modules, ${threads} threads`;
  const ids = (length: number) => Int32Array.from({ length }, (_, i) => 100 + ((i * 7919) % 40_000));
  const compare = async (name: string, length: number, past: number) => {
    const before = ids(past);
    const pasts: [Past | undefined, Past | undefined] =
      past > 0 ? [await trace(before, 0, undefined), await base.run(before, 0, undefined)] : [undefined, undefined];
    await bench.compare(
      name,
      [
        { label: 'base graph, logits', run: () => base.run(ids(length), past, pasts[1]) },
        { label: 'the same with our predictions', run: () => predicting.run(ids(length), past, pasts[1]) },
        { label: 'the same as exported', run: () => exported.run(ids(length), past, pasts[1]) },
        { label: 'routed, whole trace', run: () => trace(ids(length), past, pasts[0]) },
      ],
      { warmUps: length === 1 ? 30 : 3 },
    );
  };
  await compare('256 tokens', 256, 0);
  await compare('1 token after 64', 1, 64);
  await routed.release();
  await base.release();
  await predicting.release();
  await exported.release();
}

async function whole(bench: Bench, cache: string): Promise<void> {
  const engine = await createEngine({ pool: poolFolder, cache, threads, chunk: 256 });
  const cut = await cutter(engine);
  const sides = [64, 256, 1024].map((tokens) => {
    const piece = cut(tokens);
    return { label: `${tokens} tokens`, run: () => engine.route({ text: piece, strategy }) };
  });
  await bench.compare('Text to trace, in chunks of 256', sides, { rounds: 5, warmUps: 1 });
  const start = performance.now();
  const prompt = cut(64);
  await engine.generate({ text: prompt, strategy, maxTokens: 1 });
  const prefill = performance.now() - start;
  const from = performance.now();
  const generated = await engine.generate({
    text: prompt,
    strategy,
    maxTokens: bench.quick ? 4 : 65,
    temperature: 1,
    seed: 1,
  });
  const written = tokensIn(generated) - tokensIn(await engine.route({ text: prompt, strategy }));
  bench.notes['generation, tokens/s'] = Number(((1000 * written) / (performance.now() - from - prefill)).toFixed(1));
  engine.dispose();
}

const tokensIn = (trace: Trace) => trace.sequences[0]!.done;

/** Cuts the text to a number of tokens. */
async function cutter(engine: Awaited<ReturnType<typeof createEngine>>): Promise<(tokens: number) => string> {
  const trace = await engine.route({ text: text.slice(0, 6000), strategy: { name: 'base' } });
  const end = trace.sequences[0]!.tokens.end!;
  return (count) => text.slice(0, end[Math.min(count, end.length) - 1]);
}

async function starts(bench: Bench, temporary: string): Promise<void> {
  let round = 0;
  const warm = path.join(temporary, 'warm');
  const first = async (cache: string) => {
    const engine = await createEngine({ pool: poolFolder, cache, threads, chunk: 256 });
    await engine.route({ text: 'def f(x):', strategy });
    engine.dispose();
  };
  await first(warm);
  await bench.compare(
    'From nothing to a first trace',
    [
      { label: 'composed before', run: () => first(warm) },
      {
        label: 'nothing cached',
        run: async () => {
          const cold = path.join(temporary, `cold-${round++}`);
          await first(cold);
          rmSync(cold, { recursive: true });
        },
      },
    ],
    { rounds: 3, warmUps: 0 },
  );
}

/** Memory of the child process compared with the files that it has loaded. Only Linux reports it. */
async function memory(bench: Bench, cache: string): Promise<void> {
  const entry = path.join(root, 'dist/engine.cjs');
  if (!existsSync(entry) || !existsSync('/proc/self/status')) return;
  const composed = readdirSync(cache).find((name) => /^[0-9a-f]{32}$/.test(name))!;
  const files = readdirSync(path.join(cache, composed)).filter(
    (name) => name === 'model.onnx' || /^(base|halves|experts|phatgoose).*bin$/.test(name),
  );
  const loaded = files.reduce((sum, name) => sum + statSync(path.join(cache, composed, name)).size, 0);
  const client = new EngineClient({ entry, pool: poolFolder, cache, threads, chunk: 256 });
  const resident = (which: 'VmRSS' | 'VmHWM') =>
    1024 * Number(new RegExp(`${which}:\\s+(\\d+)`).exec(readFileSync(`/proc/${client.pid}/status`, 'utf8'))![1]);
  const megabytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB, ${(bytes / loaded).toFixed(2)} × the files`;
  await client.info();
  const bare = resident('VmRSS');
  await client.route({ text: 'a', strategy });
  bench.notes['files as loaded'] = `${Math.round(loaded / 2 ** 20)} MiB`;
  bench.notes['memory before the model is open'] = megabytes(bare);
  bench.notes['memory with the model open'] = megabytes(resident('VmRSS'));
  bench.notes['peak memory to open it'] = megabytes(resident('VmHWM'));
  await client.route({ text: text.slice(0, 3000), strategy });
  bench.notes['peak memory in chunks of 256'] = megabytes(resident('VmHWM'));
  client.dispose();
}

/** The PyTorch reference on the same number of tokens and threads. */
function pytorch(bench: Bench): void {
  const python = path.join(root, 'training/.venv/bin/python');
  if (!existsSync(python)) return;
  const options = ['--time', '--tokens', '256', '--threads', String(threads), '--repeats', bench.quick ? '1' : '5'];
  const args = ['-m', 'gander_training.reference', '--pool', poolFolder, '--text', text.slice(0, 3000), ...options];
  const sources = ['training/src', 'python/gander-routing/src'].map((folder) => path.join(root, folder));
  let timed: string;
  try {
    timed = execFileSync(python, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, PYTHONPATH: sources.join(path.delimiter) },
    });
  } catch {
    bench.notes['PyTorch reference'] = 'could not be run';
    return;
  }
  const { ms, baseMs } = JSON.parse(timed) as { ms: number; baseMs: number };
  const ours = bench.comparisons.find(({ name }) => name === '256 tokens')!.sides.at(-1)!.median;
  bench.notes['PyTorch reference, 256 tokens'] =
    `${Math.round(ms)} ms routed (${Math.round(baseMs)} base alone): ${(ms / ours).toFixed(2)} × ours`;
}
