/** An atlas on disk: a folder with atlas.json, a Parquet file per table, and the sums needed for merging. */
import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { atlasLimits } from '../../checks/limits.js';
import { GanderError } from '../../errors/errors.js';
import { bytesInWords } from '../../formats/bytes.js';
import { type About, aboutSchema, type AtlasRun, type CorpusAbout, formatFields, type LeftOut } from '../about.js';
import type { Ablated } from '../ablation.js';
import type { DocumentRow } from '../figures/documents.js';
import { writtenNames } from '../names.js';
import { pack, unpack } from '../pack.js';
import type { OwnName } from '../protocol.js';
import { Sums } from '../sums.js';
import { type TableName, tableNames, tables, tablesOf } from '../tables/index.js';
import type { Row } from '../tables/table.js';
import { hashOf } from './content.js';
import { encodeTable, readTable } from './parquet.js';
import { writeError } from '../../files/writeError.js';

export const aboutFile = 'atlas.json';

const sumsFile = 'sums.safetensors';

/** What people named units; there is none until somebody does. */
export const namesFile = 'names.json';

export const tableFile = (name: TableName) => `${name}.parquet`;

/** Everything that an atlas is written from. */
export interface Made {
  readonly run: AtlasRun;
  readonly corpus: CorpusAbout;
  readonly leftOut: readonly LeftOut[];
  readonly sums: Sums;
  /** Of the units that were ablated; merging does without, because a merged atlas has other contexts. */
  readonly ablated?: readonly Ablated[];
  readonly names?: readonly OwnName[];
}

/** Writes beside the target first and then renames, so the atlas is never there in part. @throws GanderError `io` */
export function writeAtlas(target: string, made: Made): About {
  const { tables: rows, shuffles } = tablesOf(made.sums, made.ablated);
  const about = aboutOf(made, shuffles);
  const beside = `${target}.new`;
  try {
    rmSync(beside, { recursive: true, force: true });
    mkdirSync(beside, { recursive: true });
    for (const name of tableNames)
      writeFileSync(path.join(beside, tableFile(name)), encodeTable(tables[name], rows[name]));
    writeFileSync(path.join(beside, sumsFile), pack(made.sums.state));
    if (made.names && made.names.length > 0) writeFileSync(path.join(beside, namesFile), writtenNames(made.names));
    writeFileSync(path.join(beside, aboutFile), `${JSON.stringify(about, null, 2)}\n`);
    renameSync(beside, target);
  } catch (cause) {
    rmSync(beside, { recursive: true, force: true });
    throw writeError(target, cause);
  }
  return about;
}

export function fingerprintOf(documents: readonly DocumentRow[]): string {
  return hashOf(documents.map(({ id, hash, label }) => JSON.stringify([id, hash, label])).join('\n'));
}

function aboutOf({ run, corpus, leftOut, sums }: Made, shuffles: number): About {
  const documents = sums.figures.documents.rows;
  const total = (of: (row: DocumentRow) => number) => documents.reduce((sum, row) => sum + of(row), 0);
  const bytes = total((row) => row.bytes);
  return {
    ...formatFields,
    run,
    layers: [...sums.layout.layers],
    corpus: {
      ...corpus,
      fingerprint: fingerprintOf(documents),
      labels: sums.figures.choices.labels.map(([label]) => label),
    },
    totals: {
      documents: documents.length,
      tokens: total((row) => row.tokens),
      bytes,
      bitsPerByte: bytes > 0 ? total((row) => row.bits) / bytes : null,
    },
    shuffles,
    leftOut: [...leftOut].sort((a, b) => (a.document < b.document ? -1 : 1)),
  };
}

/** @throws GanderError `io`; `trace-invalid` if it is not an atlas; `trace-newer` if a later version wrote it */
export function readAbout(folder: string): About {
  const file = ordinaryFile(folder, aboutFile, atlasLimits.about);
  const json = read(folder, () => JSON.parse(readFileSync(file, 'utf8')) as unknown);
  const found = aboutSchema.safeParse(json);
  if (found.success) return found.data;
  if (typeof json === 'object' && json !== null && 'version' in json && Number(json.version) > formatFields.version)
    throw new GanderError('trace-newer', `${folder} was made by a later version of Gander.`, 'Update Gander.');
  throw invalid(folder, found.error);
}

/** @param where what cells must equal. @throws GanderError as `readAbout` */
export async function readTableOf(folder: string, name: TableName, where: Row = {}): Promise<Row[]> {
  const file = ordinaryFile(folder, tableFile(name), atlasLimits.table);
  return readTable(tables[name], file, where).catch((cause: unknown) => {
    throw invalid(folder, cause);
  });
}

/** What is needed to merge an atlas with others. @throws GanderError as `readAbout` */
export function readMade(folder: string): Made {
  const { run, corpus, leftOut } = readAbout(folder);
  const { label, text, id, target, shard } = corpus;
  const file = ordinaryFile(folder, sumsFile, atlasLimits.table);
  const sums = read(folder, () => Sums.load(unpack(readFileSync(file))));
  return { run, corpus: { label, text, id, target, shard }, leftOut, sums };
}

function read<T>(folder: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw invalid(folder, cause);
  }
}

/** A link would lead out of the atlas, a pipe has no end. @returns the path. @throws GanderError `io`, `trace-invalid` */
export function ordinaryFile(folder: string, name: string, most: number): string {
  const file = path.join(folder, name);
  const stat = read(folder, () => lstatSync(file, { throwIfNoEntry: false }));
  if (!stat) throw incomplete(folder, `${name} is missing`);
  if (!stat.isFile()) throw incomplete(folder, `${name} is not an ordinary file`);
  if (stat.size > most)
    throw incomplete(folder, `${name} has ${bytesInWords(stat.size)}, and at most ${bytesInWords(most)} are read`);
  return file;
}

export function incomplete(folder: string, why: string): GanderError {
  return new GanderError(
    'trace-invalid',
    `${folder} cannot be opened: ${why}.`,
    'Give the folder of an atlas with all its files, or make it again.',
  );
}

export function invalid(folder: string, cause: unknown): GanderError {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code?.startsWith('E'))
    return new GanderError('io', `Could not read ${folder}: ${code}.`, 'Give the folder of an atlas.', { cause });
  return new GanderError(
    'trace-invalid',
    `${folder} is not a complete atlas.`,
    'Make it again with gander atlas make.',
    { cause },
  );
}
