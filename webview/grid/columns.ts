/** The grid's columns: the tokens of each sequence, with a gap between two. Pure. */
import type { Trace } from '../../src/trace/trace.js';

export interface Span {
  readonly sequence: number;
  /** First column. */
  readonly from: number;
  readonly count: number;
}

export interface Columns {
  /** Gaps included. */
  readonly count: number;
  readonly spans: readonly Span[];
}

/** In columns. */
const gap = 2;

export function columnsOf(trace: Trace): Columns {
  const spans: Span[] = [];
  let from = 0;
  trace.sequences.forEach(({ tokens }, sequence) => {
    if (tokens.count === 0) return;
    spans.push({ sequence, from, count: tokens.count });
    from += tokens.count + gap;
  });
  return { spans, count: Math.max(0, from - gap) };
}

/** Undefined in a gap. */
export function tokenAt({ spans }: Columns, column: number): { sequence: number; token: number } | undefined {
  const span = spans.find(({ from, count }) => column >= from && column < from + count);
  return span && { sequence: span.sequence, token: column - span.from };
}

/** −1 for no token. */
export function columnOf({ spans }: Columns, sequence: number, token: number): number {
  const span = spans.find((one) => one.sequence === sequence);
  return span && token >= 0 && token < span.count ? span.from + token : -1;
}

/** The nearest column that is a token's, going on in the direction one came from. */
export function onToken(columns: Columns, column: number, from: number): number {
  const last = columns.count - 1;
  const step = column >= from ? 1 : -1;
  let at = Math.min(last, Math.max(0, column));
  while (at > 0 && at < last && !tokenAt(columns, at)) at += step;
  return at;
}
