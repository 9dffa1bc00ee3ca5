/** The documents in files, folders, JSON lines and saved traces, always in the same order. */
import { createHash } from 'node:crypto';
import { createReadStream, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { GanderError } from '../../errors/errors.js';
import type { AtlasDocument } from '../figure.js';

/** Where a file's label comes from. */
export const labelKinds = ['folder', 'extension', 'none'] as const;

export interface CorpusOptions {
  /** One of `labelKinds`; for JSON lines, a field. Empty: the folder, or the field `label`. */
  readonly label: string;
  /** Fields of JSON lines; without `id`, a document's id is its file and line. */
  readonly text: string;
  readonly id?: string;
  /** Keeps the documents for which the hash of the id, modulo `shard.of`, is `shard.at`. */
  readonly shard?: { readonly at: number; readonly of: number };
}

export interface CorpusDocument extends Omit<AtlasDocument, 'hash'> {
  readonly kind: 'text' | 'trace';
  /** The document's part of the corpus in bytes, as far as known. */
  readonly bytes: number;
  /** @throws Unfit */
  readonly read: () => Uint8Array;
}

/** Why a document is left out of the atlas. */
export class Unfit extends Error {
  override readonly name = 'Unfit';
}

/** Longer documents are left out. In bytes. */
const longest = 64 * 2 ** 20;

/** Bytes in which a zero is looked for: a text has none, other files mostly have one near the beginning. */
const looked = 8192;

const traceEnding = '.safetensors';
const linesEnding = '.jsonl';

export const isLines = (file: string) => file.endsWith(linesEnding);
export const isTrace = (file: string) => file.endsWith(traceEnding);

interface Found {
  readonly file: string;
  /** The folder that was given; for a file that was given directly, the parent of its own folder. */
  readonly root: string;
}

/** @throws GanderError `io` if a given file or folder cannot be read */
export function filesOf(given: readonly string[]): Found[] {
  return given.flatMap((name) => {
    const stat = statOf(name);
    return stat.isDirectory() ? within(name, name) : [{ file: name, root: path.join(path.dirname(name), '..') }];
  });
}

function statOf(name: string) {
  try {
    return statSync(name);
  } catch (cause) {
    throw readError(name, cause);
  }
}

/** Skips links, which may form a circle, and hidden files. */
function within(folder: string, root: string): Found[] {
  const entries = readdirSync(folder, { withFileTypes: true }).filter(({ name }) => !name.startsWith('.'));
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const file = path.join(folder, entry.name);
      if (entry.isDirectory()) return within(file, root);
      return entry.isFile() ? [{ file, root }] : [];
    });
}

export function bytesOf(files: readonly Found[]): number {
  return files.reduce((sum, { file }) => sum + (lstatSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);
}

/** The documents of the shard, including several with the same id. */
export async function* documentsOf(files: readonly Found[], options: CorpusOptions): AsyncGenerator<CorpusDocument> {
  for (const found of files) {
    const documents = isLines(found.file) ? linesOf(found.file, options) : [fileOf(found, options)];
    for await (const document of documents) if (isInShard(document.id, options)) yield document;
  }
}

function isInShard(id: string, { shard }: CorpusOptions): boolean {
  return !shard || parseInt(hashOf(id).slice(0, 8), 16) % shard.of === shard.at;
}

/** SHA-256 in hex. */
export function hashOf(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** With slashes on every platform, so that shards from different machines can be merged. */
const placeOf = (file: string) => file.split(path.sep).join('/');

function fileOf({ file, root }: Found, options: CorpusOptions): CorpusDocument {
  const place = placeOf(file);
  return {
    kind: isTrace(file) ? 'trace' : 'text',
    id: place,
    place,
    label: labelOf({ file, root }, options),
    bytes: lstatSync(file, { throwIfNoEntry: false })?.size ?? 0,
    read: () => readWhole(file),
  };
}

/** By folder, the label is the first folder below the root. */
function labelOf({ file, root }: Found, { label }: CorpusOptions): string | null {
  if (label === 'none') return null;
  if (label === 'extension') return path.extname(file).slice(1).toLowerCase() || null;
  const [first, ...others] = path.relative(root, file).split(path.sep);
  return others.length > 0 ? first! : null;
}

function readWhole(file: string): Uint8Array {
  try {
    if (statSync(file).size > longest) throw new Unfit(`holds more than ${longest / 2 ** 20} MB`);
    return readFileSync(file);
  } catch (cause) {
    if (cause instanceof Unfit) throw cause;
    throw new Unfit(`cannot be read: ${(cause as NodeJS.ErrnoException).code ?? String(cause)}`, { cause });
  }
}

const record = z.record(z.string(), z.unknown());

async function* linesOf(file: string, options: CorpusOptions): AsyncGenerator<CorpusDocument> {
  const input = createReadStream(file);
  // Node reports a file that cannot be read as an event: turned into a rejection, it fails the loop below.
  const failed = new Promise<never>((_, reject) => input.once('error', (cause) => reject(readError(file, cause))));
  failed.catch(() => {});
  const lines = createInterface({ input, crlfDelay: Infinity })[Symbol.asyncIterator]();
  for (let number = 1; ; number++) {
    const next = await Promise.race([lines.next(), failed]);
    if (next.done) return;
    const line = next.value;
    if (line.trim() !== '') yield lineOf(line, `${placeOf(file)}:${number}`, options);
  }
}

function lineOf(line: string, place: string, { text, label, id }: CorpusOptions): CorpusDocument {
  const fields = fieldsOf(line);
  const field = (name: string | undefined) => {
    const value = name === undefined ? undefined : fields?.[name];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  };
  return {
    kind: 'text',
    id: field(id) ?? place,
    place,
    label: field(label || 'label') ?? null,
    bytes: Buffer.byteLength(line) + 1,
    read: () => {
      if (!fields) throw new Unfit('is not a JSON object');
      const own = field(text);
      if (own === undefined) throw new Unfit(`has no text in "${text}"`);
      return Buffer.from(own);
    },
  };
}

function fieldsOf(line: string): Record<string, unknown> | undefined {
  try {
    return record.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** @throws Unfit if the bytes are not text */
export function textOf(bytes: Uint8Array): string {
  if (bytes.length === 0) throw new Unfit('is empty');
  if (bytes.subarray(0, looked).includes(0)) throw new Unfit('is binary');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Unfit('is not UTF-8', { cause });
  }
}

function readError(file: string, cause: unknown): GanderError {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  return new GanderError('io', `Could not read ${file}: ${code}.`, 'Check the path and its permissions.', { cause });
}
