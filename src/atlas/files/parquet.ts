/** An atlas's tables as Parquet files. */
import { asyncBufferFromFile, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { z } from 'zod';
import { type Cell, type ColumnType, later, type Row, type Table } from '../tables/table.js';

/** Rows that are read at once: those of a few units. */
const rowGroup = 4096;

const types = { text: 'STRING', count: 'INT64', number: 'DOUBLE', flag: 'BOOLEAN' } as const;

export function encodeTable({ columns }: Table, rows: readonly Row[]): Uint8Array {
  const columnData = Object.entries(columns).map(([name, type]) => ({
    name,
    type: types[type],
    data: rows.map((row) => stored(type, row[name] ?? null)),
  }));
  return new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: rowGroup }));
}

/** Numbers that are undefined or not finite are stored as null. */
function stored(type: ColumnType | undefined, cell: Cell): Cell | bigint {
  if (typeof cell !== 'number') return cell;
  if (!Number.isFinite(cell)) return null;
  return type === 'count' ? BigInt(cell) : cell;
}

const cells = {
  text: z.string().nullable(),
  count: z.bigint().transform(Number).nullable(),
  number: z.number().nullable(),
  flag: z.boolean().nullable(),
} as const satisfies Record<ColumnType, z.ZodType<Cell>>;

type Part = Omit<Parameters<typeof parquetReadObjects>[0], 'columns' | 'metadata'> & {
  readonly metadata: FileMetaData;
};

/**
 * @param where what cells must equal; parts of the file that have no such row are not read
 * @throws ZodError, or an error of hyparquet, if the file is not such a table
 */
export async function readTable(table: Table, file: string, where: Row = {}): Promise<Row[]> {
  const buffer = await asyncBufferFromFile(file);
  const metadata = await parquetMetadataAsync(buffer);
  const known = Object.entries(where).filter(([name]) => !isLacking(metadata, name));
  if (Object.keys(where).some((name) => isLacking(metadata, name) && where[name] !== null)) return [];
  const sought = known.map(([name, cell]) => ({ [name]: { $eq: stored(table.columns[name], cell) } }));
  return rowsIn(table, { file: buffer, metadata, filter: { $and: sought } });
}

function isLacking({ schema }: FileMetaData, column: string): boolean {
  return later.has(column) && !schema.some(({ name }) => name === column);
}

/** The rows with a text in a column, one part of the file at a time. @throws as `readTable` */
export async function* rowsContaining(table: Table, column: string, text: string, path: string): AsyncGenerator<Row> {
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  const has = (row: Row): boolean => String(row[column] ?? '').includes(text);
  let rowStart = 0;
  for (const { num_rows: count } of metadata.row_groups) {
    const part = { file, metadata, rowStart, rowEnd: rowStart + Number(count) };
    // Most parts have no such row, so their other columns need not be read.
    const texts = (await parquetReadObjects({ ...part, columns: [column] })) as Row[];
    if (texts.some(has)) yield* (await rowsIn(table, part)).filter(has);
    rowStart = part.rowEnd;
  }
}

async function rowsIn({ columns }: Table, part: Part): Promise<Row[]> {
  const lacking = Object.fromEntries(
    Object.keys(columns).flatMap((name) => (isLacking(part.metadata, name) ? [[name, null]] : [])),
  );
  const schema = z.object(Object.fromEntries(Object.entries(columns).map(([name, type]) => [name, cells[type]])));
  const there = Object.keys(columns).filter((name) => !Object.hasOwn(lacking, name));
  const rows = await parquetReadObjects({ ...part, columns: there });
  return z.array(schema).parse(rows.map((row) => ({ ...lacking, ...row })));
}
