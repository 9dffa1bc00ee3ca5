// An atlas: tokens a second of `gander atlas make` compared with `gander score`, which makes no trace, on the same documents; and how
// long its tables take. Both ask a child process, as the commands do. GANDER_BENCH_ATLAS names one model,
// GANDER_BENCH_THREADS the threads (default 2).
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { CorpusDocument } from '../src/atlas/files/corpus.js';
import { finish } from '../src/atlas/files/finish.js';
import { readInto } from '../src/atlas/files/make.js';
import { decode, runnerOn } from '../src/atlas/files/runner.js';
import { EngineClient } from '../src/engine/client.js';
import type { Strategy } from '../src/strategies/index.js';
import type { Bench, Suite } from './harness.js';

const root = process.cwd();
const named = process.env['GANDER_BENCH_ATLAS'] ?? '';
const threads = Number(process.env['GANDER_BENCH_THREADS'] ?? 2);

/** Characters of a document, and how many of them. The text is this project's documentation. */
const corpora = [
  { name: 'documents of 1,000 characters', characters: 1000, count: 8 },
  { name: 'documents of 60 characters', characters: 60, count: 40 },
] as const;

/** `times`: a fast model gets more documents, so that beginning and end, which no corpus notices, weigh as little there. */
const models: readonly { readonly folder: string; readonly strategy?: Strategy; readonly times: number }[] = [
  { folder: 'models/smollm2-135m', strategy: { name: 'phatgoose', k: 2 }, times: 1 },
  { folder: 'models/gosling-moe', times: 6 },
];

const suite: Suite = async (bench) => {
  const temporary = mkdtempSync(path.join(tmpdir(), 'gander-bench-'));
  try {
    for (const model of models.filter(({ folder }) => folder.includes(named))) await compare(bench, model, temporary);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
};
export default suite;

async function compare(bench: Bench, { folder, strategy, times }: (typeof models)[number], temporary: string) {
  const entry = path.join(root, 'dist/engine.cjs');
  const engine = new EngineClient({ entry, pool: path.resolve(folder), cache: temporary, threads, chunk: 128 });
  const asked = { interventions: [], ...(strategy && { strategy }) };
  const runner = runnerOn({ engine, model: await engine.info() }, asked, new AbortController().signal);
  const target = path.join(temporary, path.basename(folder));
  const read = (documents: readonly CorpusDocument[]) =>
    readInto({ ...runner, target, documents: each(documents), decode });
  const corpus = { label: '', text: 'text', id: null, target: null, shard: null };
  for (const { name, characters, count } of corpora) {
    const documents = documentsOf(characters, bench.quick ? 2 : times * count);
    const texts = documents.map(({ read: of }) => Buffer.from(of().bytes).toString());
    let tokens = 0;
    for (const text of texts) tokens += (await engine.score({ text, ...asked })).tokens + 1;
    const tokensASecond = async (run: () => Promise<unknown>) => {
      const began = performance.now();
      await run();
      return (1000 * tokens) / (performance.now() - began);
    };
    await bench.compare(
      `${path.basename(folder)}, ${documents.length} ${name}, ${tokens} tokens`,
      [
        {
          label: 'gander score',
          run: () =>
            tokensASecond(async () => {
              for (const text of texts) await engine.score({ text, ...asked });
            }),
        },
        {
          label: 'gander atlas make, without its tables',
          run: async () => {
            rmSync(`${target}.journal`, { force: true });
            return tokensASecond(() => read(documents));
          },
        },
      ],
      { unit: 'tokens/s', rounds: 3, warmUps: 0 },
    );
    const journal = await read(documents);
    const began = performance.now();
    finish(journal, target, corpus);
    bench.notes[`${path.basename(folder)}, ${name}: tables`] = `${Math.round(performance.now() - began)} ms`;
    rmSync(target, { recursive: true });
  }
  engine.dispose();
}

function documentsOf(characters: number, count: number): CorpusDocument[] {
  const folder = path.join(root, 'docs');
  const text = readdirSync(folder)
    .filter((name) => name.endsWith('.md'))
    .map((name) => readFileSync(path.join(folder, name), 'utf8'))
    .join('');
  return Array.from({ length: count }, (_, d) => {
    const bytes = Buffer.from(text.slice(d * characters, (d + 1) * characters));
    const place = `d${d}`;
    return { kind: 'text', id: place, place, label: 'ab'[d % 2]!, bytes: bytes.length, read: () => ({ bytes }) };
  });
}

async function* each(documents: readonly CorpusDocument[]): AsyncGenerator<CorpusDocument> {
  for (const document of documents) yield await Promise.resolve(document);
}
