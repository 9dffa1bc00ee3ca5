/** An atlas's tables as Parquet files. */
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { z } from 'zod';
import type { Cell, ColumnType, Row, Table } from '../tables/table.js';

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
function stored(type: ColumnType, cell: Cell): Cell | bigint {
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

/** @throws ZodError, or an error of hyparquet, if the file is not such a table */
export async function readTable({ columns }: Table, file: string): Promise<Row[]> {
  const schema = z.object(Object.fromEntries(Object.entries(columns).map(([name, type]) => [name, cells[type]])));
  const rows = await parquetReadObjects({ file: await asyncBufferFromFile(file), columns: Object.keys(columns) });
  return z.array(schema).parse(rows);
}
