/**
 * The one table of a trace's columns: name, axis, type, the value that means "unknown", and when a page needs it. The file
 * format, the pieces that a trace travels in, the recorder and the cutting of a partial trace all derive from it.
 */
import type { Block, BlockColumns, Sequence, SequenceColumns, Tokens } from './trace.js';

const arrays = { F32: Float32Array, I32: Int32Array, I16: Int16Array, U8: Uint8Array } as const;

export type ColumnArray = Float32Array | Int32Array | Int16Array | Uint8Array;

export interface Column {
  /** In a file: `block.<i>.<tensor>` for block i, `sequence.<i>.<tensor>` for sequence i. */
  readonly tensor: string;
  readonly type: keyof typeof arrays;
  /** The value that means "unknown", or "not known yet". */
  readonly unknown: number;
  /** `late`: large, and not needed for the first drawing, so a page gets it when the run is done. */
  readonly sent: 'first' | 'deferred';
}

export interface BlockColumn extends Column {
  /** The last axis of [S, T, ·]. */
  readonly width: 'k' | 'experts' | 'sharedExperts';
}

export interface SequenceColumn extends Column {
  /** The last axis of [T, ·]. */
  readonly width: 'one' | 'predictions';
}

export const blockColumns = {
  chosen: { tensor: 'chosen', type: 'I16', width: 'k', unknown: -1, sent: 'first' },
  weight: { tensor: 'weight', type: 'F32', width: 'k', unknown: NaN, sent: 'first' },
  contribution: { tensor: 'contribution', type: 'F32', width: 'k', unknown: NaN, sent: 'first' },
  sharedWeight: { tensor: 'always_on_weight', type: 'F32', width: 'sharedExperts', unknown: NaN, sent: 'first' },
  score: { tensor: 'score', type: 'F32', width: 'experts', unknown: NaN, sent: 'deferred' },
  selection: { tensor: 'selection', type: 'F32', width: 'experts', unknown: NaN, sent: 'deferred' },
} as const satisfies { readonly [Name in keyof Required<BlockColumns>]: BlockColumn };

/** `topTokens` is missing here: it is text, and is sent beside `topIds`. */
export const sequenceColumns = {
  logProb: { tensor: 'log_prob', type: 'F32', width: 'one', unknown: NaN, sent: 'first' },
  topIds: { tensor: 'top_ids', type: 'I32', width: 'predictions', unknown: -1, sent: 'first' },
  topLogProb: { tensor: 'top_log_prob', type: 'F32', width: 'predictions', unknown: NaN, sent: 'first' },
} as const satisfies { readonly [Name in keyof Required<Omit<SequenceColumns, 'topTokens'>>]: SequenceColumn };

/** [T]; sent once, before all other columns. `text` is missing here because it is not an array of numbers. */
export const tokenColumns = {
  ids: { tensor: 'ids', type: 'I32', width: 'one', unknown: -1, sent: 'first' },
  start: { tensor: 'start', type: 'I32', width: 'one', unknown: -1, sent: 'first' },
  end: { tensor: 'end', type: 'I32', width: 'one', unknown: -1, sent: 'first' },
  special: { tensor: 'special', type: 'U8', width: 'one', unknown: 0, sent: 'first' },
} as const satisfies { readonly [Name in keyof Required<Omit<Tokens, 'count' | 'text'>>]: SequenceColumn };

export type BlockColumnName = keyof typeof blockColumns;
export type SequenceColumnName = keyof typeof sequenceColumns;

/** A column with nothing known yet. */
export function blank<C extends Column>(
  { type, unknown }: C,
  length: number,
): InstanceType<(typeof arrays)[C['type']]> {
  return new arrays[type](length).fill(unknown) as InstanceType<(typeof arrays)[C['type']]>;
}

/** Maps each column that is present to another of the same type; absent ones stay absent. */
export function mapColumns<
  Name extends string,
  Holder extends Readonly<Partial<Record<Name, ColumnArray | undefined>>>,
>(
  table: Readonly<Record<Name, Column>>,
  holder: Holder,
  change: (array: ColumnArray, name: Name) => ColumnArray,
): Pick<Holder, Name & keyof Holder> {
  const out: Partial<Record<Name, ColumnArray>> = {};
  for (const name of Object.keys(table) as Name[]) {
    const array = holder[name];
    if (array) out[name] = change(array, name);
  }
  return out as Pick<Holder, Name & keyof Holder>;
}

/** [rows, T, width] → [rows, count, width]: the tokens from `from` on. */
export function cut<C extends ColumnArray>(column: C, rows: number, total: number, from: number, count: number): C {
  const width = column.length / (rows * total || 1);
  const out = new (column.constructor as new (length: number) => C)(rows * count * width);
  for (let row = 0; row < rows; row++) {
    const begin = (row * total + from) * width;
    out.set(column.subarray(begin, begin + count * width), row * count * width);
  }
  return out;
}

/** Writes [rows, count, width] into [rows, T, width], at the tokens from `from` on. */
export function put(
  whole: ColumnArray,
  part: ColumnArray,
  rows: number,
  total: number,
  from: number,
  count: number,
): void {
  const width = part.length / (rows * count || 1);
  for (let row = 0; row < rows; row++)
    whole.set(part.subarray(row * count * width, (row + 1) * count * width), (row * total + from) * width);
}

/** Length of a block's column along its last axis. */
export function blockWidth(block: Pick<Block, 'experts' | 'k' | 'sharedExperts'>, name: BlockColumnName): number {
  return block[blockColumns[name].width];
}

export function sequenceWidth(sequence: Pick<Sequence, 'predictions'>, name: SequenceColumnName): number {
  return sequenceColumns[name].width === 'one' ? 1 : sequence.predictions;
}
