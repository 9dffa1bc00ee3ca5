/** `gander atlas make`. */
import type { CorpusAbout, LeftOut } from '../../atlas/about.js';
import {
  bytesOf,
  type CorpusDocument,
  type CorpusOptions,
  documentsOf,
  filesOf,
  isLines,
  isTrace,
  labelKinds,
  textOf,
} from '../../atlas/files/corpus.js';
import { checkFree, folderEnding, writeAtlas } from '../../atlas/files/folder.js';
import type { Journal } from '../../atlas/files/journal.js';
import { type Done, readInto, type TracedPart, whyLeftOut } from '../../atlas/files/make.js';
import { GanderError } from '../../errors/errors.js';
import { inParts } from '../textParts.js';
import { bar } from '../../look/bar.js';
import { duration } from '../../terminal/progress.js';
import { checkTraceSize, decodeTrace } from '../../trace/file/file.js';
import { plain } from '../../trace/text/label.js';
import type { Arguments, Context, Options } from '../command.js';
import { json } from '../json.js';
import { askedFor } from '../options.js';
import { UsageError } from '../usage.js';
import { aboutJson, aboutText } from './about.js';

export const makeOptions = {
  label: {
    type: 'string',
    value: 'what',
    help: `make: ${labelKinds.join(', ')} (default: folder), or a field of JSON lines (default: label); show: a label`,
  },
  text: { type: 'string', value: 'field', help: 'make: the field of JSON lines with the text (default: text)' },
  id: {
    type: 'string',
    value: 'field',
    help: 'make: a field of JSON lines that identifies each (default: file and line)',
  },
  shard: { type: 'string', value: 'i/n', help: 'make: only part i of n; merge joins the parts' },
  'dry-run': { type: 'boolean', help: 'make: only say how many tokens and how much time it would take' },
} as const satisfies Options;

export async function make(context: Context, given: readonly string[]): Promise<void> {
  const { args } = context;
  if (given.length === 0) throw new UsageError('Give the files or folders that the corpus is in.');
  const target = targetOf(args);
  const corpus = corpusOf(args);
  const files = filesOf(given);
  if (files.length === 0) throw new GanderError('io', 'No files were found.', 'Give files, or folders with files.');
  if (!files.some(({ file }) => isLines(file)) && !['', ...labelKinds].includes(corpus.label))
    throw new UsageError(`--label takes ${labelKinds.join(', ')}; a field is for JSON lines (*.jsonl).`);
  const options = optionsOf(corpus);
  const [runs, asked] = await runnerFor(context, files);
  if (args.flag('dry-run')) {
    await dryRun(context, documentsOf(files, options), runs);
    return;
  }
  checkFree(target);
  const journal = await readInto({
    target,
    asked: { ...asked, corpus },
    documents: documentsOf(files, options),
    route: runs,
    decode,
    onDone: progressOver(context, bytesOf(files)),
  }).catch((thrown: unknown) => {
    throw stopped(thrown);
  });
  context.progress.clear();
  finish(context, target, corpus, journal);
}

function finish(context: Context, target: string, corpus: CorpusAbout, journal: Journal): void {
  const { run, sums, leftOut } = journal;
  if (!run || !sums) throw new GanderError('text-empty', nothing(leftOut), 'Give files that contain UTF-8 text.');
  const about = writeAtlas(target, { run, sums, leftOut, corpus });
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

function corpusOf(args: Arguments): CorpusAbout {
  const shard = args.text('shard');
  const [, at, of] = /^([1-9]\d{0,5})\/([1-9]\d{0,5})$/.exec(shard ?? '1/1') ?? [];
  if (!at || Number(at) > Number(of)) throw new UsageError(`--shard takes i/n, such as 1/4, not "${shard!}".`);
  return {
    label: args.text('label') ?? '',
    text: args.text('text') ?? 'text',
    id: args.text('id') ?? null,
    shard: shard === undefined ? null : { at: Number(at), of: Number(of) },
  };
}

function optionsOf({ label, text, id, shard }: CorpusAbout): CorpusOptions {
  return {
    label,
    text,
    ...(id !== null && { id }),
    ...(shard && { shard: { at: shard.at - 1, of: shard.of } }),
  };
}

type Runner = (text: string) => AsyncIterable<TracedPart>;

/** What runs a text, and what must be the same to continue. Saved traces need no model. */
async function runnerFor(
  { args, open, signal }: Context,
  files: readonly { readonly file: string }[],
): Promise<[Runner, object]> {
  const traces = files.filter(({ file }) => isTrace(file)).length;
  if (traces === files.length) return [() => none(), { traces: true }];
  if (traces > 0) throw new UsageError('Give texts or saved traces (*.safetensors), not both.');
  const { engine, model } = await open();
  const asked = askedFor(args, model);
  const route = (text: string) => engine.route({ ...asked, text }, { signal });
  const runner = async function* (text: string) {
    for await (const { at, result } of inParts(text, route)) yield { trace: result, at };
  };
  return [runner, { ...asked, model: model.kind === 'server' ? model.address : model.hash }];
}

async function* none(): AsyncGenerator<TracedPart> {
  // Saved traces are not run.
}

function decode(bytes: Uint8Array) {
  checkTraceSize(bytes.length);
  return decodeTrace(bytes);
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
    const left = run > 0 ? `, ${duration((ms / run) * Math.max(0, total - bytes))} left` : '';
    const speed = Math.round((1000 * tokens) / ms);
    progress.say(`${bar(bytes / total, 20)} ${documents} documents, ${tokens} tokens, ${speed} tokens/s${left}`);
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

  async look(document: CorpusDocument, route: Runner): Promise<void> {
    const bytes = document.read();
    if (document.kind === 'trace') decode(bytes);
    else {
      const text = textOf(bytes);
      if (this.sample.ms < tried) await this.#try(text, bytes.length, route);
    }
    this.documents++;
    this.bytes += bytes.length;
    if (document.label !== null) this.labels.add(document.label);
  }

  async #try(text: string, bytes: number, route: Runner): Promise<void> {
    const { sample } = this;
    const began = performance.now();
    for await (const { trace } of route(text)) for (const { tokens } of trace.sequences) sample.tokens += tokens.count;
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
  route: Runner,
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
