/** `npm run evaluate`: reads the options, builds the parts and connects them. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Engine } from '../src/requests/ask.js';
import { createEngine } from '../src/engine/local.js';
import { Tokenizer } from '../src/engine/runtime/tokenizer.js';
import { Cache } from '../src/engine/runtime/cache.js';
import { poolHash } from '../src/pool/hash.js';
import { readPool } from '../src/pool/pool.js';
import { GanderError } from '../src/errors/errors.js';
import { asPool } from '../src/requests/modelInfo.js';
import { Progress } from '../src/terminal/progress.js';
import { plain } from '../src/trace/text/label.js';
import { cutAt, type Document, heldoutKinds, ownKinds, readDocuments } from './documents.js';
import { type About, evaluate, type Evaluation, isPartial } from './evaluation.js';
import { type Explanations, explanationsIn } from './earlier.js';
import { figures } from './figures.js';
import { circumstances } from './circumstances.js';
import { fileName, json, put } from './files.js';
import { help, type Options, parseOptions } from './options.js';
import { report } from './report.js';
import { Results } from './results.js';
import { measure, plan, type RunOutcome } from './run.js';
import { choose } from './strategies.js';
import { onTasks } from './tasks/main.js';

const say = (line: string) => void process.stderr.write(`${line}\n`);

/** Runs the command. @returns the exit code: 130 if it was interrupted */
export async function main(args: readonly string[], signal: AbortSignal): Promise<number> {
  const options = parseOptions(args);
  if (!options) {
    process.stdout.write(help);
    return 0;
  }
  const cache = path.resolve(options.cache);
  const engine = await createEngine({
    pool: path.resolve(options.pool),
    cache: path.join(cache, 'engine'),
    threads: options.threads,
    chunk: 256,
  });
  try {
    return await (options.tasks === undefined ? onDocuments : onTasks)(engine, options, cache, signal);
  } finally {
    engine.dispose();
  }
}

async function onDocuments(engine: Engine, options: Options, cache: string, signal: AbortSignal): Promise<number> {
  const pool = asPool(await engine.info());
  for (const { text } of pool.warnings) say(`warning: ${plain(text)}`);
  const chosen = choose(pool, options.strategies);
  const documents = await gather(options, pool);
  const results = new Results(
    pool.hash,
    path.join(cache, 'evaluate', `${fileName(pool.id)}-${fileName(pool.hash.slice(-12))}.jsonl`),
  );
  const before = path.join(options.out, 'evaluation.json');
  let told: Explanations = new Map();
  if (options.goOn && existsSync(before)) {
    const [json, alike] = [readFileSync(before, 'utf8'), withoutClassifier(options)];
    say(`${results.takeOver(json, alike)} scores of ${before}`);
    told = explanationsIn(json, [pool.hash, alike], documents, options.seed);
  }
  const tasks = plan(documents, chosen, told);
  const progress = new Progress(process.stderr, { everyMs: 30_000 });
  let outcome: RunOutcome = { cancelled: false, failures: [] };
  let broken: GanderError | undefined;
  if (!options.reportOnly) {
    const count = progress.count('measurements');
    try {
      outcome = await measure(engine, tasks, results, signal, ({ document, strategy }, done, of) =>
        count(done, of, plain(`${document.kind}  ${strategy}`)),
      );
    } catch (thrown) {
      broken = GanderError.from(thrown); // what was measured before is worth a report
    }
    progress.clear();
  }
  const about: About = {
    ...circumstances(options),
    documents: options.documents,
    tokens: options.tokens,
  };
  const evaluation = evaluate(about, pool, documents, chosen, results, outcome.failures, told);
  if (evaluation.work.done > 0) write(evaluation, options);
  const { done, total } = evaluation.work;
  say(
    `${isPartial(evaluation) ? 'Partial: ' : ''}${done} of ${total} measurements. ${done > 0 ? `Report: ${path.join(options.out, 'EVALUATION.md')}` : ''}`,
  );
  if (broken) throw broken;
  return outcome.cancelled ? 130 : 0;
}

/** The hash of the pool as it would be without its X-LoRA classifier, which no other strategy reads. */
function withoutClassifier({ pool: folder, cache }: Options): string {
  const { xlora: _, ...pool } = readPool(path.resolve(folder));
  return poolHash(pool, new Cache(path.resolve(cache, 'engine')));
}

async function gather(options: Options, pool: { experts: readonly { id: string }[] }): Promise<Document[]> {
  const tokenizer = new Tokenizer(readPool(path.resolve(options.pool)).base.tokenizer);
  const cut = async (text: string) => cutAt(text, (await tokenizer.encode(text)).end, options.tokens);
  const documents: Document[] = [];
  for (const kind of options.kinds ?? heldoutKinds(options.corpora)) {
    documents.push(...(await readDocuments(options.corpora, 'heldout', kind, options.documents, cut)));
  }
  if (options.own > 0) {
    for (const kind of ownKinds(options.corpora, pool.experts)) {
      documents.push(...(await readDocuments(options.corpora, 'own', kind, options.own, cut)));
    }
  }
  return documents;
}

function write(evaluation: Evaluation, options: Options): void {
  const link = (file: string) => path.relative(path.resolve(options.out), path.resolve(file)).split(path.sep).join('/');
  const links = figures(evaluation).map(({ name, title, svg }) => {
    const file = path.join(options.figures, `${fileName(evaluation.pool.id)}-${name}.svg`);
    put(file, svg);
    return { name, title, link: link(file) };
  });
  const explanation = 'docs/evaluation.md';
  // A report outside the repository cannot link to its documents.
  const docs = path.relative(process.cwd(), path.resolve(options.out));
  put(path.join(options.out, 'evaluation.json'), json(evaluation));
  put(
    path.join(options.out, 'EVALUATION.md'),
    report(evaluation, links, docs.startsWith('..') || path.isAbsolute(docs) ? undefined : link(explanation)),
  );
}

/** Called by scripts/evaluate.mjs, in the repository's folder. */
export async function start(): Promise<void> {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      say('\nStopping; results so far are kept …');
      controller.abort();
    });
  }
  try {
    process.exitCode = await main(process.argv.slice(2), controller.signal);
  } catch (thrown) {
    const { message, remedy } = GanderError.from(thrown);
    say(plain(`gander: ${message} ${remedy}`));
    process.exitCode = 1;
  }
}
