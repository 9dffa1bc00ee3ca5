/** Reads what the host itself reads, in an unguarded process, and reports the outcome. */
import './watch.js';
import { createReadStream, readFileSync } from 'node:fs';
import path from 'node:path';
import { readMade, readTableOf } from '../../src/atlas/files/folder.js';
import { readNames } from '../../src/atlas/files/names.js';
import { openAtlas, placeOf, rowsOfToken, rowsWhere } from '../../src/atlas/files/reading.js';
import { tableNames, tablesOf } from '../../src/atlas/tables/index.js';
import { importRouting } from '../../src/import/index.js';
import { readExamples } from '../../src/pool/adapter.js';
import { readPool } from '../../src/pool/pool.js';
import { remoteEngine } from '../../src/remote/index.js';
import { GanderError } from '../../src/errors/errors.js';
import { cellLines } from '../../src/trace/exports/csv.js';
import { difference } from '../../src/trace/figures/difference.js';
import { decodeTrace, encodeTrace } from '../../src/trace/file/file.js';
import { traceHtml } from '../../src/trace/exports/html.js';
import { traceMarkdown } from '../../src/trace/exports/markdown.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { summarise } from '../../src/trace/figures/summary.js';
import { SideSender } from '../../src/transport/sides.js';
import { readHead, unpack } from '../../src/travel/packed.js';
import type { Said, Job } from '../reading.js';

const strategy = { name: 'phatgoose', k: 2 } as const;

/** Everything that the host does with a trace. */
function use(trace: Trace): void {
  summarise(trace);
  traceHtml(trace);
  traceMarkdown(trace);
  if (trace.sequences[0]!.tokens.count * trace.modules.length < 100_000) for (const _line of cellLines(trace));
  decodeTrace(encodeTrace(trace));
  const state = { title: '', strategy, interventions: trace.interventions, trace, stale: false };
  for (const _message of new SideSender().messages('main', state));
}

function readTraces(files: readonly string[]): void {
  const traces = files.map((file) => decodeTrace(readFileSync(file)));
  const [first, second] = [traces[0]!, traces.at(-1)!];
  for (const trace of traces) use(trace);
  difference(first, second);
  difference(second, first);
}

function readWhole(folder: string): void {
  for (const expert of readPool(folder).experts) {
    for (const { a, b } of expert.adapter.modules.values()) {
      a();
      b();
    }
    for (const vectors of [expert.gates, expert.activations]) for (const { read } of vectors?.values() ?? []) read();
    if (expert.hasExamples) readExamples(expert.folder);
  }
}

async function readImports(files: readonly string[]): Promise<void> {
  for (const file of files) {
    const { trace } = await importRouting(file, readFileSync(file), { part: 1, k: 2 });
    use(trace);
    difference(trace, trace);
  }
}

/** What the editor asks of an atlas and what the command line does: all of it, even if the first is refused. */
async function readAtlas(folder: string): Promise<void> {
  const unit = { layer: 0, expert: 5 };
  const asked: readonly (() => unknown)[] = [
    () => openAtlas(folder),
    ...(['labels', 'tokens', 'contexts', 'ablations'] as const).map((name) => () => rowsWhere(folder, name, unit)),
    ...(['pairs', 'coverage'] as const).map((name) => () => rowsWhere(folder, name, { layer: 0 })),
    () => rowsOfToken(folder, 'w'),
    () => placeOf(folder, 'a00'),
    ...tableNames.map((name) => () => readTableOf(folder, name)),
    () => tablesOf(readMade(folder).sums),
    () => readNames(folder),
  ];
  let refused: GanderError | undefined;
  for (const ask of asked)
    try {
      await ask();
    } catch (thrown) {
      if (!(thrown instanceof GanderError)) throw thrown;
      refused ??= thrown;
    }
  if (refused) throw refused;
}

/** Milliseconds of silence that a server is allowed. */
const patience = 1500;

async function ask({ address, method, request }: NonNullable<Job['server']>): Promise<void> {
  const engine = remoteEngine({ pool: address, server: { patienceMs: patience } });
  try {
    if (method === 'attribute' || method === 'score') await engine[method](request);
    else {
      const trace = await engine[method](request, { onPartial: use });
      const { text = '' } = trace.sequences[0]!;
      if (!text.startsWith(request.text)) throw new Error(`a trace of another text: ${text}`);
      use(trace);
    }
  } finally {
    engine.dispose();
  }
}

/** What the editor shows of a packed expert, and then all of it. */
async function readPacked(file: string, folder: string): Promise<void> {
  await readHead(createReadStream(file));
  await unpack(createReadStream(file), path.join(folder, 'arrived'));
}

async function attempt({
  folder,
  traces,
  imports,
  isAtlas,
  packed,
  server,
}: Job): Promise<Pick<Said, 'outcome' | 'error'>> {
  try {
    if (server) await ask(server);
    else if (traces) readTraces(traces);
    else if (imports) await readImports(imports);
    else if (isAtlas) await readAtlas(folder);
    else if (packed !== undefined) await readPacked(packed, folder);
    else readWhole(folder);
    return { outcome: 'read' };
  } catch (error) {
    if (error instanceof GanderError) return { outcome: error.code, error: error.toData() };
    return {
      outcome: 'untyped',
      error: { code: 'internal', message: error instanceof Error ? (error.stack ?? '') : String(error), remedy: '' },
    };
  }
}

process.on('message', (job: Job) => {
  const before = process.cpuUsage();
  void attempt(job).then((said) => {
    const { user, system } = process.cpuUsage(before);
    const milliseconds = (user + system) / 1000;
    process.send!({ ...said, milliseconds, peak: 1024 * process.resourceUsage().maxRSS } satisfies Said);
  });
});
process.on('disconnect', () => process.exit(0));
