/**
 * The columns of a trace, once: name, axis, type, what stands where nothing is known, and when a page needs it. The file
 * format, the pieces that a trace travels in, the recorder and the cutting of a partial trace derive from this table.
 */
import type { Block, BlockColumns, Sequence, SequenceColumns } from './trace.js';

export interface Column {
  /** In a file: of block i `block.<i>.<tensor>`, of sequence i `sequence.<i>.<tensor>`. */
  readonly tensor: string;
  readonly type: 'F32' | 'I16' | 'I32';
  /** What stands where nothing is known (yet). */
  readonly unknown: number;
  /** `late`: large, and nothing that is drawn at once rests on it; a page gets it when the run is done. */
  readonly sent: 'first' | 'late';
}

export interface BlockColumn extends Column {
  /** The last axis of [S, T, ·]. */
  readonly width: 'k' | 'experts' | 'alwaysOn';
}

export interface SequenceColumn extends Column {
  /** The last axis of [T, ·]. */
  readonly width: 'one' | 'predictions';
}

export const blockColumns = {
  chosen: { tensor: 'chosen', type: 'I16', width: 'k', unknown: -1, sent: 'first' },
  weight: { tensor: 'weight', type: 'F32', width: 'k', unknown: NaN, sent: 'first' },
  contribution: { tensor: 'contribution', type: 'F32', width: 'k', unknown: NaN, sent: 'first' },
  alwaysOnWeight: { tensor: 'always_on_weight', type: 'F32', width: 'alwaysOn', unknown: NaN, sent: 'first' },
  score: { tensor: 'score', type: 'F32', width: 'experts', unknown: NaN, sent: 'late' },
  selection: { tensor: 'selection', type: 'F32', width: 'experts', unknown: NaN, sent: 'late' },
} as const satisfies { readonly [Name in keyof Required<BlockColumns>]: BlockColumn };

/** `topTokens` is text and travels as such, beside `topIds`. */
export const sequenceColumns = {
  logProb: { tensor: 'log_prob', type: 'F32', width: 'one', unknown: NaN, sent: 'first' },
  topIds: { tensor: 'top_ids', type: 'I32', width: 'predictions', unknown: -1, sent: 'first' },
  topLogProb: { tensor: 'top_log_prob', type: 'F32', width: 'predictions', unknown: NaN, sent: 'first' },
} as const satisfies { readonly [Name in keyof Required<Omit<SequenceColumns, 'topTokens'>>]: SequenceColumn };

export type BlockColumnName = keyof typeof blockColumns;
export type SequenceColumnName = keyof typeof sequenceColumns;

/** Length of a block's column along its last axis. */
export function blockWidth(block: Pick<Block, 'experts' | 'k' | 'alwaysOn'>, name: BlockColumnName): number {
  return block[blockColumns[name].width];
}

export function sequenceWidth(sequence: Pick<Sequence, 'predictions'>, name: SequenceColumnName): number {
  return sequenceColumns[name].width === 'one' ? 1 : sequence.predictions;
}
