/** The map's columns: the tokens of each sequence, or the lines of its text, with a gap between sequences. Pure. */
import type { Trace } from '../../src/trace/model/trace.js';
import { linesOf, type Lines } from './lines.js';

export interface Span {
  readonly sequence: number;
  /** First column. */
  readonly from: number;
  readonly count: number;
  /** If the columns are lines: which tokens each has. */
  readonly lines?: Lines;
}

export interface Columns {
  /** Gaps included. */
  readonly count: number;
  readonly spans: readonly Span[];
}

/** In columns. */
const gap = 2;

export function columnsOf(trace: Trace): Columns {
  return spansOf(trace.sequences.map(({ tokens }) => tokens));
}

/** Undefined if no sequence has lines. */
export function lineColumns(trace: Trace): Columns | undefined {
  const columns = spansOf(trace.sequences.map(linesOf));
  return columns.count > 0 ? columns : undefined;
}

/** @param parts for each sequence, the number of its columns, or its lines; undefined: none */
function spansOf(parts: readonly ({ readonly count: number } | Lines | undefined)[]): Columns {
  const spans: Span[] = [];
  let from = 0;
  parts.forEach((part, sequence) => {
    if (!part || part.count === 0) return;
    spans.push({ sequence, from, count: part.count, ...('of' in part && { lines: part }) });
    from += part.count + gap;
  });
  return { spans, count: Math.max(0, from - gap) };
}

/** How many columns there are without the lines at the end in which no token begins. */
export function untilLast(columns: Columns): number {
  let { count } = columns;
  while (count > 0 && !tokenAt(columns, count - 1)) count--;
  return count;
}

/** A column's first token, and past its last; undefined in a gap, and in a line in which no token begins. */
export function tokenAt(
  { spans }: Columns,
  column: number,
): { sequence: number; token: number; end: number } | undefined {
  const span = spans.find(({ from, count }) => column >= from && column < from + count);
  if (!span) return undefined;
  const { sequence, lines } = span;
  const at = column - span.from;
  const token = lines ? lines.first[at]! : at;
  return token < 0 ? undefined : { sequence, token, end: lines ? lines.end[at]! : at + 1 };
}

/** Whether no text of a line can be seen; undefined if the column is no line. */
export function isBlankLine({ spans }: Columns, column: number): boolean | undefined {
  const span = spans.find(({ from, count }) => column >= from && column < from + count);
  return span?.lines ? span.lines.blank[column - span.from] === 1 : undefined;
}

/** −1 for no token. */
export function columnOf({ spans }: Columns, sequence: number, token: number): number {
  const span = spans.find((one) => one.sequence === sequence);
  if (!span || token < 0) return -1;
  const at = span.lines ? (span.lines.of[token] ?? -1) : token;
  return at >= 0 && at < span.count ? span.from + at : -1;
}

/** [C] the sequence of each column; −1 in a gap. */
export function sequencesOf({ spans, count }: Columns): Int8Array {
  const of = new Int8Array(count).fill(-1);
  for (const { sequence, from, count: own } of spans) of.fill(sequence, from, from + own);
  return of;
}

/**
 * [C] 1 for each column that contains none of the given tokens.
 * @param ranges of a sequence's tokens, each from its first to past its last
 */
export function columnsBeyond(
  columns: Columns,
  sequence: number,
  ranges: readonly (readonly [from: number, to: number])[],
): Uint8Array {
  const beyond = new Uint8Array(columns.count).fill(1);
  for (const [from, to] of ranges)
    for (let t = from; t < to; t++) {
      const column = columnOf(columns, sequence, t);
      if (column >= 0) beyond[column] = 0;
    }
  return beyond;
}

/** The nearest column with a token: first in the direction of movement, then the other way. */
export function onToken(columns: Columns, column: number, from: number): number {
  const last = columns.count - 1;
  const begin = Math.min(last, Math.max(0, column));
  const along = (step: number): number => {
    let at = begin;
    while (at >= 0 && at <= last && !tokenAt(columns, at)) at += step;
    return at >= 0 && at <= last ? at : -1;
  };
  const step = column >= from ? 1 : -1;
  const found = along(step);
  return found >= 0 ? found : Math.max(0, along(-step));
}
