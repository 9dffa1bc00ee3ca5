/** Files that hold a document per row: JSON lines, also from stdin, and Parquet. */
import { createReadStream } from 'node:fs';
import zlib from 'node:zlib';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet';
import { z } from 'zod';
import { GanderError } from '../../errors/errors.js';
import { rowEndings } from '../place.js';
import { longest, readError, textOf, tooLong, Unfit } from './content.js';

/** JSON lines on stdin. */
export const stdin = '-';

export const isRows = (file: string) => file === stdin || rowEndings.some((ending) => file.endsWith(ending));

export interface DataRow {
  /** From 1; for JSON lines the number of the line. */
  readonly number: number;
  /** The row's part of the file, in bytes. */
  readonly bytes: number;
  readonly fields: Readonly<Record<string, unknown>> | Unfit;
}

/** @param columns of Parquet, only these are read, by default all; it must have those that are `needed`. @throws GanderError `io`, `request-invalid` */
export function rowsOf(
  file: string,
  columns: readonly string[] | undefined,
  needed: readonly string[],
): AsyncGenerator<DataRow, void> {
  return file.endsWith('.parquet') ? parquetRows(file, columns, needed) : jsonRows(file);
}

async function* jsonRows(file: string): AsyncGenerator<DataRow, void> {
  const chunks: AsyncIterable<Uint8Array> = file === stdin ? process.stdin : createReadStream(file);
  let number = 0;
  try {
    for await (const line of linesOf(chunks)) {
      number++;
      if (line instanceof Unfit) yield { number, bytes: longest, fields: line };
      else if (line.some((byte) => byte > space)) yield { number, bytes: line.length + 1, fields: fieldsOf(line) };
    }
  } catch (cause) {
    throw (cause as NodeJS.ErrnoException).code === undefined ? cause : readError(file, cause);
  }
}

const [lineEnd, space] = [10, 32];

/** Lines without their ends. One that is too long for a document is not kept in memory. */
async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array | Unfit, void> {
  let [parts, size]: [Uint8Array[], number] = [[], 0];
  const keep = (part: Uint8Array) => {
    size += part.length;
    if (size > longest) parts = [];
    else parts.push(part);
  };
  const take = () => {
    const line = size > longest ? tooLong() : Buffer.concat(parts);
    [parts, size] = [[], 0];
    return line;
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(lineEnd); end >= 0; end = chunk.indexOf(lineEnd, from)) {
      keep(chunk.subarray(from, end));
      from = end + 1;
      yield take();
    }
    keep(chunk.subarray(from));
  }
  if (size > 0) yield take();
}

const object = z.record(z.string(), z.unknown());

function fieldsOf(line: Uint8Array): DataRow['fields'] {
  try {
    return object.parse(JSON.parse(textOf(line)));
  } catch (thrown) {
    return thrown instanceof Unfit ? thrown : new Unfit('is not a JSON object', { cause: thrown });
  }
}

/** Beside snappy, which hyparquet knows. Older versions of Node have no zstd. */
const { zstdDecompressSync } = zlib as { readonly zstdDecompressSync?: (bytes: Uint8Array) => Uint8Array };
const compressors = {
  GZIP: (bytes: Uint8Array) => zlib.gunzipSync(bytes),
  BROTLI: (bytes: Uint8Array) => zlib.brotliDecompressSync(bytes),
  ...(zstdDecompressSync && { ZSTD: zstdDecompressSync }),
};

/** One row group at a time is in memory. */
async function* parquetRows(
  name: string,
  wanted: readonly string[] | undefined,
  needed: readonly string[],
): AsyncGenerator<DataRow, void> {
  const { file, metadata } = await openParquet(name);
  const has = parquetSchema(metadata).children.map(({ element }) => element.name);
  const missing = needed.find((column) => !has.includes(column));
  if (missing !== undefined)
    throw new GanderError(
      'request-invalid',
      `${name} has no column "${missing}".`,
      `Its columns are: ${has.join(', ')}. Name those that you want with --text, --label, --id and --target.`,
    );
  const columns = wanted?.filter((column) => has.includes(column)) ?? has;
  const bytes = file.byteLength / Number(metadata.num_rows);
  let start = 0;
  for (const { num_rows: count } of metadata.row_groups) {
    const end = start + Number(count);
    const rows = await parquetReadObjects({
      file,
      metadata,
      columns,
      compressors,
      rowStart: start,
      rowEnd: end,
    }).catch((cause: unknown) => Promise.reject(unreadable(name, cause)));
    for (const [i, fields] of rows.entries()) yield { number: start + i + 1, bytes, fields };
    start = end;
  }
}

async function openParquet(name: string) {
  try {
    const file = await asyncBufferFromFile(name);
    return { file, metadata: await parquetMetadataAsync(file) };
  } catch (cause) {
    throw unreadable(name, cause);
  }
}

function unreadable(name: string, cause: unknown): GanderError {
  if ((cause as NodeJS.ErrnoException).code !== undefined) return readError(name, cause);
  const why = cause instanceof Error ? cause.message : String(cause);
  return new GanderError(
    'io',
    `${name} cannot be read as Parquet: ${why}.`,
    'Write it again, compressed with snappy, gzip or brotli.',
    { cause },
  );
}
