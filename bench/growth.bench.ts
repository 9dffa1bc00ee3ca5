// How time and memory grow: with parameters, experts, layers and tokens, on Llamas of random numbers in 4 bits with twelve experts
// of rank 16. GANDER_BENCH_SIZES names the sizes (default 0.1,0.5,1.5,3), GANDER_BENCH_THREADS the threads (default 2).
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { EngineClient } from '../src/engine/client.js';
import { Tokenizer } from '../src/engine/runtime/tokenizer.js';
import { type Bench, type Comparison, type Suite } from './harness.js';
import { linears, parametersOf, type Shape, withFolder, writeBase, writeExperts } from './madeUp.js';

const root = process.cwd();
const threads = Number(process.env['GANDER_BENCH_THREADS'] ?? 2);
const sizes = process.env['GANDER_BENCH_SIZES']?.split(',') ?? ['0.1', '0.5', '1.5', '3'];
const strategy = { name: 'phatgoose', k: 2 } as const;
const tokenizer = path.join(root, 'models/smollm2-135m/base/tokenizer.json');

/** In the shapes of SmolLM2-135M, Qwen2.5-0.5B, Qwen2.5-1.5B and Llama-3.2-3B, but the vocabulary is the tokenizer's. */
const vocabulary = 49_152;
const small: Shape = { layers: 30, width: 576, heads: 9, kvHeads: 3, hidden: 1536, vocabulary };
const shapes: Readonly<Record<string, Shape>> = {
  '0.1': small,
  '0.5': { layers: 24, width: 896, heads: 14, kvHeads: 2, hidden: 4864, vocabulary },
  '1.5': { layers: 28, width: 1536, heads: 12, kvHeads: 2, hidden: 8960, vocabulary },
  '3': { layers: 28, width: 3072, heads: 24, kvHeads: 8, hidden: 8192, vocabulary },
};

const suite: Suite = (bench) =>
  withFolder(async (temporary) => {
    for (const size of sizes) await bySize(bench, temporary, size);
    await byExperts(bench, temporary);
    await byLayers(bench, temporary);
    await byTokens(bench, temporary);
  });
export default suite;

async function bySize(bench: Bench, temporary: string, size: string): Promise<void> {
  const shape = shapes[size];
  if (!shape) throw new Error(`there are ${Object.keys(shapes).join(', ')}`);
  const made = await Made.open(temporary, shape, 12);
  const piece = await cut(1000);
  const name = `${(parametersOf(shape) / 1e9).toPrecision(2)} billion parameters, 1,000 tokens`;
  await bench.compare(name, [{ label: 'routed, whole trace', run: () => made.route(piece) }], {
    rounds: 3,
    warmUps: 0,
    unit: 'ms',
  });
  bench.notes[`${size}: composed in, s`] = made.composedIn;
  bench.notes[`${size}: tokens/s generated`] = await made.rate(bench.quick ? 5 : 17);
  bench.notes[`${size}: files as loaded, MiB`] = made.files();
  bench.notes[`${size}: peak memory, MiB`] = made.peak();
  made.close();
}

async function byExperts(bench: Bench, temporary: string): Promise<void> {
  const counts = [12, 48, 166];
  const all = await inTurn(counts, (count) => Made.open(temporary, small, count));
  await grows(bench, 'experts, 256 tokens', counts, all);
}

async function byLayers(bench: Bench, temporary: string): Promise<void> {
  const counts = [15, 30, 60];
  const all = await inTurn(counts, (layers) => Made.open(temporary, { ...small, layers }, 12));
  await grows(bench, 'layers, 256 tokens', counts, all);
}

async function grows(bench: Bench, by: string, counts: readonly number[], all: readonly Made[]): Promise<void> {
  const sides = await inTurn(all, async (made, i) => {
    const piece = await cut(256);
    return { label: String(counts[i]), run: () => made.route(piece) };
  });
  exponent(bench, counts, await bench.compare(by, sides, { rounds: 5, warmUps: 1 }));
  for (const made of all) made.close();
}

async function byTokens(bench: Bench, temporary: string): Promise<void> {
  const counts = bench.quick ? [250, 500] : [500, 1000, 2000, 4000, 8000];
  const made = await Made.open(temporary, small, 12);
  const sides = await inTurn(counts, async (count) => {
    const piece = await cut(count);
    return { label: String(count), run: () => made.route(piece) };
  });
  exponent(bench, counts, await bench.compare('tokens', sides, { rounds: 3, warmUps: 0 }));
  bench.notes['tokens: peak memory at the most, MiB'] = made.peak();
  made.close();
}

/** Least squares on logarithms. */
function exponent(bench: Bench, counts: readonly number[], { name, sides }: Comparison): void {
  const points = sides.map(({ median }, i) => [Math.log(counts[i]!), Math.log(median)] as const);
  const mean = (of: (point: readonly [number, number]) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean(([a]) => a), mean(([, b]) => b)];
  const slope = mean(([a, b]) => (a - x) * (b - y)) / mean(([a]) => (a - x) ** 2);
  bench.notes[`${name}: time grows with the power`] = Number(slope.toFixed(2));
}

/** A text of exactly so many tokens. */
async function cut(tokens: number): Promise<string> {
  const text = readFileSync(path.join(root, 'THIRD_PARTY_NOTICES.md'), 'utf8');
  const { end, count } = await new Tokenizer(tokenizer).encode(text);
  if (count < tokens) throw new Error(`the text has only ${count} tokens`);
  return text.slice(0, end[tokens - 1]);
}

async function inTurn<T, U>(all: readonly T[], each: (one: T, i: number) => Promise<U>): Promise<U[]> {
  const made: U[] = [];
  for (const [i, one] of all.entries()) made.push(await each(one, i));
  return made;
}

/** A made-up pool, open in an engine of its own. */
class Made {
  private constructor(
    private readonly folder: string,
    private readonly client: EngineClient,
    readonly composedIn: number,
  ) {}

  static async open(temporary: string, shape: Shape, experts: number): Promise<Made> {
    const folder = mkdtempSync(path.join(temporary, 'made-'));
    const pool = path.join(folder, 'pool');
    writeBase(pool, shape, tokenizer);
    writeExperts(pool, linears(shape), { experts, rank: 16 });
    const client = new EngineClient({
      entry: path.join(root, 'dist/engine.cjs'),
      pool,
      cache: path.join(folder, 'cache'),
      threads,
      chunk: 256,
    });
    const start = performance.now();
    await client.route({ text: 'a', strategy });
    return new Made(folder, client, Number(((performance.now() - start) / 1000).toFixed(1)));
  }

  async route(text: string): Promise<void> {
    await this.client.route({ text, strategy });
  }

  async rate(tokens: number): Promise<number> {
    const write = async (maxTokens: number) => {
      const start = performance.now();
      const { sequences } = await this.client.generate({
        text: 'def f(x):',
        strategy,
        maxTokens,
        temperature: 1,
        seed: 1,
      });
      return { ms: performance.now() - start, written: sequences[0]!.done };
    };
    const [first, all] = [await write(1), await write(tokens)];
    return Number(((1000 * (all.written - first.written)) / (all.ms - first.ms)).toPrecision(3));
  }

  /** MiB of what the engine loads. */
  files(): number {
    const cache = path.join(this.folder, 'cache');
    const names = readdirSync(cache, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /(^|\/)(base|halves|experts|phatgoose)[^/]*bin$/.test(name),
    );
    return mebibytes(names.reduce((sum, name) => sum + statSync(path.join(cache, name)).size, 0));
  }

  /** MiB of the engine's process at its largest. Only Linux reports it. */
  peak(): number {
    const status = readFileSync(`/proc/${this.client.pid}/status`, 'utf8');
    return mebibytes(1024 * Number(/VmHWM:\s+(\d+)/.exec(status)![1]));
  }

  close(): void {
    this.client.dispose();
    rmSync(this.folder, { recursive: true });
  }
}

const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20);
