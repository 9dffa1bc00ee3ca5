import { blockColumns, type ColumnArray, cut, mapColumns, sequenceColumns, tokenColumns } from './columns.js';
import type { Block, Sequence, Trace } from './trace.js';

/** A partial trace, cut to the tokens that are done. A finished trace is returned as it is. */
export function finished(trace: Trace): Trace {
  if (trace.sequences.every(({ tokens, done }) => tokens.count === done)) return trace;
  return {
    ...trace,
    sequences: trace.sequences.map(finishedSequence),
    blocks: trace.blocks.map((block) => finishedBlock(block, trace.sequences[block.sequence]!)),
  };
}

function finishedSequence(sequence: Sequence): Sequence {
  const { tokens, done, topTokens, predictions } = sequence;
  const first = (array: ColumnArray) => cut(array, 1, tokens.count, 0, done);
  return {
    ...sequence,
    ...mapColumns(sequenceColumns, sequence, first),
    ...(topTokens && { topTokens: topTokens.slice(0, done * predictions) }),
    tokens: {
      ...mapColumns(tokenColumns, tokens, first),
      ...(tokens.text && { text: tokens.text.slice(0, done) }),
      count: done,
    },
  };
}

function finishedBlock(block: Block, { tokens, done }: Sequence): Block {
  const first = (array: ColumnArray) => cut(array, block.to - block.from, tokens.count, 0, done);
  return { ...block, ...mapColumns(blockColumns, block, first) };
}

/** Drops the columns over all experts, which are most of a trace's size. The choices and their weights stay. */
export function withoutScores(trace: Trace): Trace {
  return { ...trace, blocks: trace.blocks.map(({ score: _, selection: __, ...block }) => block) };
}
