// Where the time goes: by operator of onnxruntime, and outside of it. Writes docs/profile.md, unless it is quick.
// GANDER_BENCH_THREADS names the threads (default 2).
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EngineClient } from '../src/engine/client.js';
import { createEngine } from '../src/engine/local.js';
import type { Past } from '../src/engine/runtime/past.js';
import { Cache } from '../src/engine/runtime/cache.js';
import { causalModel, readPool } from '../src/pool/pool.js';
import { BaseSession, composeBase } from './base.js';
import { type Bench, type Suite, machine, spread } from './harness.js';
import { type Routed, openMoe, openPool } from './sides.js';
import { type Profile, Watched } from './watched.js';

const threads = Number(process.env['GANDER_BENCH_THREADS'] ?? 2);
const page = path.resolve('docs/profile.md');

type Run = (ids: Int32Array, done: number, past: Past | undefined) => Promise<Past>;

interface Subject {
  readonly name: string;
  readonly folder: string;
  readonly strategy?: { readonly name: 'phatgoose'; readonly k: number };
  /** The model without routing. */
  base(temporary: string): Promise<{ readonly run: Run; release(): Promise<void> }>;
  routed(cache: Cache): Promise<Routed>;
}

const pool = path.resolve('models/smollm2-135m');
const gosling = path.resolve('models/gosling-moe');
const subjects: readonly Subject[] = [
  {
    name: 'The pool that ships',
    folder: pool,
    strategy: { name: 'phatgoose', k: 2 },
    async base(temporary) {
      const { predictions } = composeBase(temporary, causalModel(readPool(pool)));
      const session = await BaseSession.open(predictions, threads);
      return { run: (...of) => session.run(...of), release: () => session.release() };
    },
    routed: (cache) => openPool(pool, cache, threads, { name: 'phatgoose', k: 2 }),
  },
  {
    name: 'Gosling',
    folder: gosling,
    async base() {
      const session = await BaseSession.open(path.join(gosling, 'model.onnx'), threads);
      return { run: (...of) => session.run(...of), release: () => session.release() };
    },
    routed: (cache) => openMoe(gosling, cache, threads),
  },
];

const cases = [
  { name: '256 tokens', done: 0, count: 256, rounds: 3 },
  { name: 'one token after 64', done: 64, count: 1, rounds: 10 },
] as const;
const warmUps = 3;

const ids = (length: number) => Int32Array.from({ length }, (_, i) => 100 + ((i * 7919) % 4000));

const suite: Suite = async (bench) => {
  const temporary = mkdtempSync(path.join(tmpdir(), 'gander-bench-'));
  try {
    const parts: string[] = [];
    for (const subject of subjects) parts.push(await profiled(bench, subject, temporary));
    if (!bench.quick) writeFileSync(page, [head(), ...parts].join('\n'));
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
};
export default suite;

const head = () => `# Where the time goes

Made by \`npm run bench -- profile\` on ${machine()}, ${threads} threads; each figure is of one run, on average.

“Operators” is the time that onnxruntime’s own profiler gives for them; it makes a run longer, one of a single token most, so the shares
count, not the sums. “Outside the graph” was measured without it.
`;

async function profiled(bench: Bench, subject: Subject, temporary: string): Promise<string> {
  const folder = (name: string) => mkdtempSync(path.join(temporary, `${name}-`));
  const cache = new Cache(folder('cache'));
  const base = await operators(folder('base'), (own) => subject.base(own), bench.quick);
  const routed = await operators(folder('routed'), () => subject.routed(cache), bench.quick);
  return [
    `## ${subject.name}\n`,
    ...cases.map(({ name }, i) => beside(name, base[i]!, routed[i]!)),
    await outside(bench, subject, cache),
  ].join('\n');
}

/** A profile for each of `cases`. */
async function operators(
  folder: string,
  open: (folder: string) => Promise<{ readonly run: Run; release(): Promise<void> }>,
  quick: boolean,
): Promise<Profile[]> {
  const watched = new Watched(path.join(folder, 'profiles'));
  const session = await open(folder);
  watched.end();
  const counted: [number, number][] = [];
  for (const { done, count, rounds } of cases) {
    const past = done > 0 ? await session.run(ids(done), 0, undefined) : undefined;
    for (let i = 0; i < (quick ? 1 : warmUps); i++) await session.run(ids(count), done, past);
    const from = watched.runs;
    for (let i = 0; i < (quick ? 1 : rounds); i++) await session.run(ids(count), done, past);
    counted.push([from, watched.runs]);
  }
  await session.release();
  return counted.map(([from, to]) => watched.operators(from, to));
}

/** Rows for what takes at least a hundredth of either run. */
function beside(name: string, base: Profile, routed: Profile): string {
  const sum = ({ operators }: Profile) => operators.reduce((all, { ms }) => all + ms, 0);
  const count = ({ operators }: Profile) => operators.reduce((all, one) => all + one.count, 0);
  const row = (label: string, told: readonly (readonly [number, number, Profile])[]) =>
    `| ${label} | ${told.map(([n, ms, { run }]) => `${n ? Math.round(n) : ''} | ${ms.toFixed(2)} | ${((100 * ms) / run).toFixed(1)} %`).join(' | ')} |`;
  const of = (profile: Profile, operator: string) => profile.operators.find((one) => one.name === operator);
  const both = [base, routed] as const;
  const names = [...new Set(both.flatMap(({ operators }) => operators.map((one) => one.name)))];
  const shown = names
    .filter((operator) => both.some((profile) => (of(profile, operator)?.ms ?? 0) >= profile.run / 100))
    .sort((a, b) => (of(routed, b)?.ms ?? 0) - (of(routed, a)?.ms ?? 0));
  return [
    `### ${name}\n`,
    '| operator | base: number | ms | share | routed: number | ms | share |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...shown.map((operator) =>
      row(
        operator,
        both.map((profile) => [of(profile, operator)?.count ?? 0, of(profile, operator)?.ms ?? 0, profile] as const),
      ),
    ),
    row(
      'all operators',
      both.map((profile) => [count(profile), sum(profile), profile] as const),
    ),
    row(
      'between them, with the profiler',
      both.map((profile) => [0, profile.run - sum(profile), profile] as const),
    ),
    '',
  ].join('\n');
}

/** What a run and a generated token cost outside of onnxruntime. */
async function outside(bench: Bench, subject: Subject, cache: Cache): Promise<string> {
  const watched = new Watched();
  const { name } = subject;
  const session = await subject.routed(cache);
  const rows: string[] = [];
  const row = (what: string, whole: number, graph: number) => {
    const outside = `${(whole - graph).toFixed(2)} (${((100 * (whole - graph)) / whole).toFixed(1)} %)`;
    rows.push(`| ${what} | ${whole.toFixed(2)} | ${graph.toFixed(2)} | ${outside} |`);
  };
  for (const { name: what, done, count } of cases) {
    const past = done > 0 ? await session.run(ids(done), 0, undefined) : undefined;
    const inGraph: number[] = [];
    const { sides } = await bench.compare(
      `${name}, ${what}`,
      [
        {
          label: 'routed, whole trace',
          run: async () => {
            const before = watched.spent;
            await session.run(ids(count), done, past);
            inGraph.push(watched.spent - before);
          },
        },
      ],
      { rounds: 30 },
    );
    row(`${what}, with the whole trace`, sides[0]!.median, spread(inGraph).median);
  }
  await session.release();
  watched.end();
  const generated = await generation(bench, subject, cache);
  row('a generated token, in one process', generated.here, generated.graph);
  row('a generated token, from the engine’s child', generated.child, generated.graph);
  return [
    '### Outside the graph\n',
    '| | ms | in onnxruntime | outside |',
    '| --- | ---: | ---: | ---: |',
    ...rows,
    '',
  ].join('\n');
}

/** Milliseconds for each token after the first. */
async function generation(
  bench: Bench,
  { name, folder, strategy }: Subject,
  cache: Cache,
): Promise<{ readonly here: number; readonly child: number; readonly graph: number }> {
  const text = 'def add(a, b):\n    """Adds two numbers."""\n    return a + b\n\n\ndef subtract(a, b):\n';
  const options = { pool: folder, cache: cache.folder, threads, chunk: 256 };
  const watched = new Watched();
  const here = await createEngine(options);
  const child = new EngineClient({ ...options, entry: path.resolve('dist/engine.cjs') });
  const written = async (engine: Pick<EngineClient, 'generate'>, maxTokens: number) => {
    const [start, spent] = [performance.now(), watched.spent];
    const trace = await engine.generate({ text, maxTokens, temperature: 1, seed: 1, ...(strategy && { strategy }) });
    return { tokens: trace.sequences[0]!.done, ms: performance.now() - start, graph: watched.spent - spent };
  };
  const perToken = async (engine: Pick<EngineClient, 'generate'>) => {
    const [one, many] = [await written(engine, 1), await written(engine, bench.quick ? 4 : 64)];
    const each = (of: 'ms' | 'graph') => (many[of] - one[of]) / (many.tokens - one.tokens);
    return { ms: each('ms'), graph: each('graph') };
  };
  // The models are opened by their first token.
  await written(here, 1);
  await written(child, 1);
  const graph: number[] = [];
  const { sides } = await bench.compare(
    `${name}, a generated token`,
    [
      {
        label: 'in one process',
        run: async () => {
          const token = await perToken(here);
          graph.push(token.graph);
          return token.ms;
        },
      },
      { label: 'from the engine’s child', run: async () => (await perToken(child)).ms },
    ],
    { rounds: 5, warmUps: 1 },
  );
  watched.end();
  here.dispose();
  child.dispose();
  return { here: sides[0]!.median, child: sides[1]!.median, graph: spread(graph).median };
}
