/** The documents in texts, rows of data and saved traces. */
import path from 'node:path';
import { GanderError } from '../../errors/errors.js';
import type { CorpusAbout } from '../about.js';
import type { AtlasDocument } from '../figure.js';
import { type Content, hashOf, readWhole, Unfit } from './content.js';
import { type Found, sizeOf, withSlashes } from './found.js';
import { type DataRow, isRows, rowsOf } from './rows.js';

/** Where a file's label comes from. */
export const labelKinds = ['folder', 'extension', 'none'] as const;

export interface CorpusOptions {
  /** One of `labelKinds`; for rows, a field. Empty: the folder, or the field `label`. */
  readonly label: string;
  /** Fields of rows; without `id`, a document's id is its file and the row's number. */
  readonly text: string;
  readonly id?: string;
  /** The output that an encoder-decoder is given. */
  readonly target?: string;
  /** Keeps the documents for which the hash of the id, modulo `shard.of`, is `shard.at`. */
  readonly shard?: { readonly at: number; readonly of: number };
}

export interface CorpusDocument extends Omit<AtlasDocument, 'hash'> {
  readonly kind: 'text' | 'trace';
  /** The document's part of the corpus in bytes, as far as known. */
  readonly bytes: number;
  /** @throws Unfit */
  readonly read: () => Content;
}

const traceEnding = '.safetensors';

export const isTrace = (file: string) => file.endsWith(traceEnding);

/** Whether the files are traces, for which no model runs. @throws GanderError `request-invalid` if only some are */
export function areTraces(files: readonly Found[]): boolean {
  const traces = files.filter(({ file }) => isTrace(file)).length;
  if (traces === 0 || traces === files.length) return traces > 0;
  throw new GanderError(
    'request-invalid',
    `Of ${files.length} files, ${traces} are saved traces (*${traceEnding}) and the others are texts.`,
    'Give texts or saved traces, not both.',
  );
}

/** What an atlas says about its corpus, as options for reading it. */
export function optionsOf({ label, text, id, target, shard }: CorpusAbout): CorpusOptions {
  return {
    label,
    text,
    ...(id !== null && { id }),
    ...(target !== null && { target }),
    ...(shard && { shard: { at: shard.at - 1, of: shard.of } }),
  };
}

/** The documents of the shard, including several with the same id. */
export async function* documentsOf(files: readonly Found[], options: CorpusOptions): AsyncGenerator<CorpusDocument> {
  for (const found of files) {
    const documents = isRows(found.file) ? rowDocuments(found.file, options) : [fileDocument(found, options)];
    for await (const document of documents) if (isInShard(document.id, options)) yield document;
  }
}

function isInShard(id: string, { shard }: CorpusOptions): boolean {
  return !shard || parseInt(hashOf(id).slice(0, 8), 16) % shard.of === shard.at;
}

function fileDocument({ file, root }: Found, options: CorpusOptions): CorpusDocument {
  const place = withSlashes(file);
  return {
    kind: isTrace(file) ? 'trace' : 'text',
    id: place,
    place,
    label: labelOf({ file, root }, options),
    bytes: sizeOf(file),
    read: () => ({ bytes: readWhole(file) }),
  };
}

/** By folder, the label is the first folder below the root. */
function labelOf({ file, root }: Found, { label }: CorpusOptions): string | null {
  if (label === 'none') return null;
  if (label === 'extension') return path.extname(file).slice(1).toLowerCase() || null;
  const [first, ...others] = path.relative(root, file).split(path.sep);
  return others.length > 0 ? first! : null;
}

async function* rowDocuments(file: string, options: CorpusOptions): AsyncGenerator<CorpusDocument> {
  const { text, label, id, target } = options;
  const isField = label !== '' && !labelKinds.some((kind) => kind === label);
  const named = [text, id, target, isField ? label : undefined].filter((field) => field !== undefined);
  for await (const row of rowsOf(file, [...named, 'label'], named))
    yield rowDocument(row, `${withSlashes(file)}:${row.number}`, options);
}

function rowDocument({ bytes, fields }: DataRow, place: string, options: CorpusOptions): CorpusDocument {
  const { text, label, id, target } = options;
  const field = (name: string | undefined) =>
    name === undefined || fields instanceof Unfit ? undefined : written(fields[name]);
  const given = label === 'none' ? undefined : field(label || 'label');
  return {
    kind: 'text',
    id: field(id) ?? place,
    place,
    label: given === undefined || given === '' ? null : given,
    bytes,
    read: () => contentOfRow(fields, { text, ...(target !== undefined && { target }) }),
  };
}

/** @throws Unfit */
export function contentOfRow(
  fields: DataRow['fields'],
  { text, target }: Pick<CorpusOptions, 'text' | 'target'>,
): Content {
  const needed = (name: string) => {
    if (fields instanceof Unfit) throw fields;
    const value = written(fields[name]);
    if (value === undefined) throw new Unfit(`has no text in "${name}"`);
    return value;
  };
  return { bytes: Buffer.from(needed(text)), ...(target !== undefined && { target: needed(target) }) };
}

function written(value: unknown): string | undefined {
  return ['string', 'number', 'bigint', 'boolean'].includes(typeof value) ? String(value) : undefined;
}
