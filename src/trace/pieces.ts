/**
 * A trace on its way to another process or to the page. It goes in pieces of a few tokens each: whoever takes it in does
 * other things in between, and of a trace that grows only what is new is sent.
 */
import type { Trace } from './trace.js';

/** Rows of each array: one a module, or a single one. */
const rows = {
  affinity: 'modules',
  chosen: 'modules',
  weight: 'modules',
  contribution: 'modules',
  logProb: 'one',
  topIds: 'one',
  topLogProb: 'one',
  topTokens: 'one',
} as const;

type Name = keyof typeof rows;
type Column = Float32Array | Int16Array | Int32Array | readonly string[];
type Columns = Partial<Record<Name, Column>>;

const affinities: readonly Name[] = ['affinity'];
const choices = (Object.keys(rows) as Name[]).filter((name) => !affinities.includes(name));

/** What is not cut into pieces. */
export type TraceHead = Omit<Trace, Name>;

export interface TracePiece {
  /** M and T of the whole. */
  readonly modules: number;
  readonly total: number;
  /** The piece's tokens: [from, from + count) of T. */
  readonly from: number;
  readonly count: number;
  /** As in a trace, with `count` in the place of T; those are absent that the trace has not. */
  readonly columns: Columns;
}

/** Tokens of a piece: of a pool like the one that ships, half a megabyte. */
const tokensAtOnce = 64;

export function headOf(trace: Trace): TraceHead {
  const { affinity: _a, chosen: _c, weight: _w, contribution: _m, ...rest } = trace;
  const { logProb: _l, topIds: _i, topLogProb: _p, topTokens: _t, ...head } = rest;
  return head;
}

/** The done tokens from `from` on, without their affinities. */
export function choicePieces(trace: Trace, from = 0): Generator<TracePiece> {
  return pieces(trace, from, choices);
}

/** The affinities of the done tokens from `from` on: most of a trace, and not needed for the first look at it. */
export function affinityPieces(trace: Trace, from = 0): Generator<TracePiece> {
  return pieces(trace, from, trace.affinity ? affinities : []);
}

function* pieces(trace: Trace, from: number, names: readonly Name[]): Generator<TracePiece> {
  if (names.length === 0) return;
  const [modules, total] = [trace.modules.length, trace.tokens.ids.length];
  for (let at = from; at < trace.done || at === 0; at += tokensAtOnce) {
    const count = Math.min(tokensAtOnce, trace.done - at);
    const columns: Columns = {};
    for (const name of names) {
      const column = trace[name];
      if (column) columns[name] = cut(column, rowsOf(name, modules), total, at, count);
    }
    yield { modules, total, from: at, count, columns };
  }
}

/** Puts pieces together. The traces that it builds share their arrays, which later pieces go on to fill. */
export class TraceBuilder {
  readonly #columns: Columns = {};

  add({ modules, total, from, count, columns }: TracePiece): void {
    for (const name of Object.keys(columns) as Name[]) {
      const piece = columns[name]!;
      const r = rowsOf(name, modules);
      const width = piece.length / (r * count || 1);
      let whole = this.#columns[name];
      if (whole?.length !== r * total * width) {
        // Text that is being written grows: what is known moves into a wider array.
        const known = whole;
        whole = this.#columns[name] = blank(piece, r * total * width);
        if (known) put(whole, known, r, total, 0, known.length / (r * width));
      }
      put(whole, piece, r, total, from, count);
    }
  }

  build(head: TraceHead): Trace {
    return { ...head, ...this.#columns } as Trace;
  }
}

const rowsOf = (name: Name, modules: number) => (rows[name] === 'modules' ? modules : 1);

/** [rows, total, width] → [rows, count, width] */
export function cut<C extends Column>(column: C, r: number, total: number, from: number, count: number): C {
  const width = column.length / (r * total || 1);
  const out = column.slice(0, r * count * width) as C;
  const [stride, length] = [total * width, count * width];
  copyRows(r, length, { column, stride, at: from * width }, { column: out, stride: length, at: 0 });
  return out;
}

/** [rows, count, width] into [rows, total, width] at `from` */
function put(whole: Column, piece: Column, r: number, total: number, from: number, count: number): void {
  const width = count > 0 ? piece.length / (r * count) : 0;
  const [stride, length] = [total * width, count * width];
  copyRows(r, length, { column: piece, stride: length, at: 0 }, { column: whole, stride, at: from * width });
}

/** Elements from `at` in each row of an array, `stride` elements apart. */
interface Rows {
  readonly column: Column;
  readonly stride: number;
  readonly at: number;
}

/** `length` elements a row. */
function copyRows(count: number, length: number, from: Rows, to: Rows): void {
  for (let row = 0; row < count; row++) {
    const begin = row * from.stride + from.at;
    const at = row * to.stride + to.at;
    if (!isStrings(from.column)) (to.column as Float32Array).set(from.column.subarray(begin, begin + length), at);
    else for (let i = 0; i < length; i++) (to.column as string[])[at + i] = from.column[begin + i]!;
  }
}

const isStrings = (column: Column): column is readonly string[] => Array.isArray(column);

/** As far as a trace holds nothing yet. */
function blank(like: Column, length: number): Column {
  if (isStrings(like)) return new Array<string>(length).fill('');
  if (like instanceof Float32Array) return new Float32Array(length).fill(NaN);
  return like instanceof Int16Array ? new Int16Array(length).fill(-1) : new Int32Array(length).fill(-1);
}
