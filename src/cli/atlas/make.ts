/** `gander atlas make`. */
import type { Ablated } from '../../atlas/ablation.js';
import type { CorpusAbout, LeftOut } from '../../atlas/about.js';
import { textOf } from '../../atlas/files/content.js';
import { type CorpusDocument, documentsOf } from '../../atlas/files/corpus.js';
import { checkFree, folderEnding, writeAtlas } from '../../atlas/files/folder.js';
import { bytesOf } from '../../atlas/files/found.js';
import type { Journal } from '../../atlas/files/journal.js';
import { type Done, readInto, type Route, type TracedPart, whyLeftOut } from '../../atlas/files/make.js';
import { GanderError } from '../../errors/errors.js';
import { bar } from '../../look/bar.js';
import { duration } from '../../terminal/progress.js';
import { plain } from '../../trace/text/label.js';
import type { Arguments, Context, Options } from '../command.js';
import { json } from '../json.js';
import { UsageError } from '../usage.js';
import { aboutJson, aboutText } from './about.js';
import { ablationOf } from './ablate.js';
import { corpusOf } from './corpus.js';
import { decode, runnerFor } from './runner.js';

export const makeOptions = {
  ablate: {
    type: 'string',
    value: 'experts',
    help: 'make: knock out experts where they are chosen: ids or 3.7, separated by commas, or specialised',
  },
  'dry-run': { type: 'boolean', help: 'make: only say how many tokens and how much time it would take' },
} as const satisfies Options;

export async function make(context: Context, given: readonly string[]): Promise<void> {
  const { args } = context;
  const target = targetOf(args);
  const { files, about: corpus, options } = corpusOf(args, given);
  const runner = await runnerFor(context, files, corpus);
  if (args.flag('dry-run')) {
    await dryRun(context, documentsOf(files, options), runner.route);
    return;
  }
  checkFree(target);
  const ablation = ablationOf(args, files, corpus, runner);
  try {
    const journal = await readInto({
      ...runner,
      target,
      asked: { ...runner.asked, corpus },
      documents: documentsOf(files, options),
      decode,
      onDone: progressOver(context, bytesOf(files)),
    });
    const ablated = await ablation(journal, documentsOf(files, options), context);
    context.progress.clear();
    finish(context, target, corpus, journal, ablated);
  } catch (thrown) {
    throw stopped(thrown);
  }
}

function finish(
  context: Context,
  target: string,
  corpus: CorpusAbout,
  journal: Journal,
  ablated: readonly Ablated[],
): void {
  const { run, sums, leftOut } = journal;
  if (!run || !sums) throw new GanderError('text-empty', nothing(leftOut), 'Give files that contain UTF-8 text.');
  const about = writeAtlas(target, { run, sums, leftOut, corpus, ablated });
  journal.remove();
  context.out(context.args.flag('json') ? json(aboutJson(about)) : `${plain(target)}\n${aboutText(about)}`);
}

function nothing(leftOut: readonly LeftOut[]): string {
  const [first] = leftOut;
  if (!first) return 'There is no document in this part of the corpus.';
  return `None of ${leftOut.length} documents could be read; ${plain(first.document)} ${first.why}.`;
}

/** Says that what is done is kept. */
function stopped(thrown: unknown): unknown {
  if (!(thrown instanceof GanderError && thrown.code === 'cancelled')) return thrown;
  return new GanderError('cancelled', 'Stopped; what is done is kept.', 'Run the same command to continue.', {
    cause: thrown,
  });
}

function targetOf(args: Arguments): string {
  const target = args.text('out');
  if (args.flag('dry-run')) return target ?? '';
  if (target === undefined) throw new UsageError(`Say where the atlas goes: -o <name>${folderEnding}.`);
  return target.replace(/[\\/]+$/, '');
}

/** One line: what is done, how fast, and the time that is left, by the bytes of the corpus. */
function progressOver({ progress, signal }: Context, total: number): (done: Done) => void {
  const started = performance.now();
  let [documents, bytes, tokens, run] = [0, 0, 0, 0];
  return (done) => {
    documents++;
    bytes += done.bytes;
    tokens += done.tokens;
    if (!done.before) run += done.bytes;
    const ms = performance.now() - started;
    // How much comes on stdin is not known.
    const [drawn, left] =
      total > 0 && run > 0
        ? [`${bar(bytes / total, 20)} `, `, ${duration((ms / run) * Math.max(0, total - bytes))} left`]
        : ['', ''];
    const speed = Math.round((1000 * tokens) / ms);
    progress.say(`${drawn}${documents} documents, ${tokens} tokens, ${speed} tokens/s${left}`);
    if (signal.aborted) throw new GanderError('cancelled', 'Stopped.', 'Start it again to continue.');
  };
}

/** How long the first documents are run to estimate how long all take. Milliseconds. */
const tried = 5000;

/** What a corpus contains, and how long a part of it took. */
class Looked {
  documents = 0;
  bytes = 0;
  readonly labels = new Set<string>();
  readonly leftOut: LeftOut[] = [];
  readonly sample = { documents: 0, bytes: 0, tokens: 0, ms: 0 };

  async look(document: CorpusDocument, route: Route): Promise<void> {
    const { bytes, target } = document.read();
    if (document.kind === 'trace') decode(bytes);
    else {
      const text = textOf(bytes);
      if (this.sample.ms < tried) await this.#try(route(text, target), bytes.length);
    }
    this.documents++;
    this.bytes += bytes.length;
    if (document.label !== null) this.labels.add(document.label);
  }

  async #try(parts: AsyncIterable<TracedPart>, bytes: number): Promise<void> {
    const { sample } = this;
    const began = performance.now();
    for await (const { trace } of parts) for (const { tokens } of trace.sequences) sample.tokens += tokens.count;
    sample.ms += performance.now() - began;
    sample.bytes += bytes;
    sample.documents++;
  }

  /** Undefined if nothing was run. */
  get estimate(): { readonly tokens: number; readonly seconds: number; readonly from: number } | undefined {
    const { documents, bytes, tokens, ms } = this.sample;
    if (bytes === 0) return undefined;
    const scale = this.bytes / bytes;
    return { tokens: Math.round(tokens * scale), seconds: (ms * scale) / 1000, from: documents };
  }
}

async function dryRun(
  { args, out, progress, signal }: Context,
  documents: AsyncIterable<CorpusDocument>,
  route: Route,
): Promise<void> {
  const looked = new Looked();
  for await (const document of documents) {
    progress.say(`looking at ${plain(document.id)}`);
    await looked.look(document, route).catch((thrown: unknown) => {
      if (signal.aborted) throw thrown;
      looked.leftOut.push({ document: document.id, why: whyLeftOut(thrown) });
    });
  }
  progress.clear();
  const { bytes, leftOut, estimate } = looked;
  const facts = { documents: looked.documents, bytes, labels: [...looked.labels].sort(), leftOut };
  if (args.flag('json')) {
    out(json({ ...facts, ...(estimate && { estimate }) }));
    return;
  }
  out(`${facts.documents} documents of ${bytes} bytes, ${facts.labels.length} labels\n`);
  if (estimate)
    out(
      `about ${estimate.tokens} tokens and ${duration(1000 * estimate.seconds)}, judging by the first ${estimate.from}\n`,
    );
  out(leftOut.map(({ document, why }) => `left out: ${plain(document)} ${plain(why)}\n`).join(''));
}
