/** Which corpus a command reads, and how. */
import type { CorpusAbout } from '../../atlas/about.js';
import { type CorpusOptions, labelKinds, optionsOf } from '../../atlas/files/corpus.js';
import { filesOf, type Found } from '../../atlas/files/found.js';
import { isRows } from '../../atlas/files/rows.js';
import type { Arguments, Options } from '../command.js';
import { UsageError } from '../usage.js';

export const corpusOptions = {
  label: {
    type: 'string',
    value: 'what',
    help: `make: ${labelKinds.join(', ')} (default: folder), or a field of rows (default: label); show: a label`,
  },
  text: {
    type: 'string',
    value: 'field',
    help: 'make: the field of JSON lines or Parquet with the text (default: text)',
  },
  id: {
    type: 'string',
    value: 'field',
    help: 'make: a field of JSON lines or Parquet that identifies each row (default: file and row)',
  },
  target: {
    type: 'string',
    value: 'field',
    help: 'make: the field of JSON lines or Parquet with the output for an encoder-decoder (default: what it writes)',
  },
  shard: { type: 'string', value: 'i/n', help: 'make: only part i of n; merge joins the parts' },
} as const satisfies Options;

export interface Corpus {
  readonly files: readonly Found[];
  readonly about: CorpusAbout;
  readonly options: CorpusOptions;
}

/** @throws UsageError; GanderError `io` */
export function corpusOf(args: Arguments, given: readonly string[]): Corpus {
  if (given.length === 0) throw new UsageError('Give the files or folders that the corpus is in.');
  const about = aboutOf(args);
  const files = filesOf(given);
  if (!files.some(({ file }) => isRows(file))) checkNoFields(args, about);
  return { files, about, options: optionsOf(about) };
}

function aboutOf(args: Arguments): CorpusAbout {
  const shard = args.text('shard');
  const [, at, of] = /^([1-9]\d{0,5})\/([1-9]\d{0,5})$/.exec(shard ?? '1/1') ?? [];
  if (!at || Number(at) > Number(of)) throw new UsageError(`--shard takes i/n, such as 1/4, not "${shard!}".`);
  return {
    label: args.text('label') ?? '',
    text: args.text('text') ?? 'text',
    id: args.text('id') ?? null,
    target: args.text('target') ?? null,
    shard: shard === undefined ? null : { at: Number(at), of: Number(of) },
  };
}

function checkNoFields(args: Arguments, { label }: CorpusAbout): void {
  const rows = 'JSON lines (*.jsonl, or - for stdin) and Parquet (*.parquet)';
  if (!['', ...labelKinds].includes(label))
    throw new UsageError(`--label takes ${labelKinds.join(', ')}; a field is for ${rows}.`);
  const field = (['text', 'id', 'target'] as const).find((name) => args.text(name) !== undefined);
  if (field !== undefined) throw new UsageError(`--${field} names a field of ${rows}.`);
}
