/**
 * A trace on its way to another process or to the page. It is sent in pieces of a few tokens each: the receiver can do other
 * things in between, and of a growing trace only what is new is sent.
 */
import {
  blank,
  blockColumns,
  blockWidth,
  type Column,
  type ColumnArray,
  cut,
  mapColumns,
  put,
  sequenceColumns,
  sequenceWidth,
  tokenColumns,
} from '../trace/model/columns.js';
import type { Block, BlockColumns, Sequence, SequenceColumns, Source, Tokens, Trace } from '../trace/model/trace.js';

export type BlockShape = Omit<Block, keyof BlockColumns>;

/** What stays the same in a trace while it grows. */
export type TraceFrame = Omit<Trace, 'sequences' | 'blocks'> & {
  readonly sequences: readonly Pick<Sequence, 'role' | 'predictions'>[];
  readonly blocks: readonly BlockShape[];
};

/** The text and the tokens of one sequence that the other end does not have. */
export interface TokensPiece {
  readonly part: 'tokens';
  readonly sequence: number;
  /** How many of the tokens known before are still right; the others are replaced by `tokens`. */
  readonly kept: number;
  readonly tokens: Tokens;
  /** The first `kept` UTF-16 units of the text known before stay, followed by `more`. */
  readonly text?: { readonly kept: number; readonly more: string };
}

/** Columns of one sequence and of the modules over it, for the tokens [from, from + count). */
export interface CellsPiece {
  readonly part: 'cells';
  readonly sent: Sent;
  readonly sequence: number;
  readonly from: number;
  readonly count: number;
  /** As in a trace, with `count` instead of T; columns that the trace lacks are absent. */
  readonly columns: SequenceColumns;
  readonly blocks: readonly { readonly block: number; readonly columns: Partial<BlockColumns> }[];
}

export type TracePiece = { readonly part: 'frame'; readonly frame: TraceFrame } | TokensPiece | CellsPiece;

/** What tells a piece from the others of its run. */
export type Place =
  | { readonly part: 'frame' }
  | Pick<TokensPiece, 'part' | 'sequence' | 'kept'>
  | Pick<CellsPiece, 'part' | 'sent' | 'sequence' | 'from'>;

/** Pieces that were cut elsewhere (received.ts). */
export interface Received {
  /** The piece at a place in the run of a trace. */
  find<P extends Place>(source: Source, place: P): Extract<TracePiece, Pick<P, 'part'>> | undefined;
}

/** Completes a trace whose pieces were sent before: how many tokens of each sequence are done. */
export interface TraceHead {
  readonly done: readonly number[];
}

type Sent = Column['sent'];

/** Tokens per piece: half a megabyte for a pool like the one that ships. */
const tokensAtOnce = 64;

export function headOf(trace: Trace): TraceHead {
  return { done: trace.sequences.map(({ done }) => done) };
}

/** Tokens done, in all sequences. */
export function doneOf({ done }: TraceHead): number {
  return done.reduce((sum, count) => sum + count, 0);
}

/** The sending end, for one run: it knows what the other end has. Whoever stops between pieces can go on later. */
export class TraceSender {
  #frame: TraceFrame | undefined;
  readonly #sequences: Sequence[] = [];
  readonly #done: Record<Sent, number[]> = { first: [], deferred: [] };

  /** @param received pieces of the run that are sent on as they arrived */
  constructor(private readonly received?: Received) {}

  /** What is needed to draw a trace at first. */
  *first(trace: Trace): Generator<TracePiece> {
    const frame = frameOf(trace);
    if (!this.#frame || !sameFrame(this.#frame, frame)) {
      this.#frame = frame;
      const came = this.received?.find(trace.source, { part: 'frame' });
      yield came && sameFrame(came.frame, frame) ? came : { part: 'frame', frame };
    }
    for (const [i, sequence] of trace.sequences.entries()) {
      const known = this.#sequences[i];
      this.#sequences[i] = sequence;
      const piece = tokensPiece(i, known, sequence, (kept) =>
        this.received?.find(trace.source, { part: 'tokens', sequence: i, kept }),
      );
      if (piece) yield piece;
    }
    yield* this.#cells(trace, 'first');
  }

  /** The large columns: most of a trace, but not needed for what is drawn first. */
  deferred(trace: Trace): Generator<TracePiece> {
    return this.#cells(trace, 'deferred');
  }

  /** Whether some of the large columns is still to be sent. */
  lacksDeferred(trace: Trace): boolean {
    return trace.sequences.some(({ done }, i) => hasDeferred(trace, i) && (this.#done.deferred[i] ?? -1) < done);
  }

  *#cells(trace: Trace, sent: Sent): Generator<TracePiece> {
    const known = this.#done[sent];
    for (const [sequence, { done }] of trace.sequences.entries()) {
      if (sent === 'deferred' && !hasDeferred(trace, sequence)) continue;
      // Even without tokens a piece is sent: it says which columns there are.
      while ((known[sequence] ?? -1) < done) {
        const from = known[sequence] ?? 0;
        const came = this.received?.find(trace.source, { part: 'cells', sent, sequence, from });
        // A piece that arrived since may have more tokens than this trace.
        const count = came && from + came.count <= done ? came.count : Math.min(tokensAtOnce, done - from);
        known[sequence] = from + count;
        yield came?.count === count ? came : cellsPiece(trace, sent, sequence, from, count);
      }
    }
  }
}

export function frameOf({ sequences, blocks, ...rest }: Trace): TraceFrame {
  return {
    ...rest,
    sequences: sequences.map(({ role, predictions }) => ({ role, predictions })),
    blocks: blocks.map(({ from, to, sequence, experts, k, sharedExperts }) => ({
      from,
      to,
      sequence,
      experts,
      k,
      sharedExperts,
    })),
  };
}

/** Partial traces of one run share the large parts of a frame. */
function sameFrame(a: TraceFrame, b: TraceFrame): boolean {
  const shape = ({ sequences, blocks }: TraceFrame) => JSON.stringify([sequences, blocks]);
  return (
    a.source === b.source &&
    a.router === b.router &&
    a.interventions === b.interventions &&
    a.expertSets === b.expertSets &&
    a.modules === b.modules &&
    shape(a) === shape(b)
  );
}

/** @param received finds the piece that came after so many tokens that stay */
function tokensPiece(
  i: number,
  known: Sequence | undefined,
  now: Sequence,
  received: (kept: number) => TokensPiece | undefined,
): TokensPiece | undefined {
  if (known?.tokens === now.tokens && known.text === now.text) return undefined;
  const kept = known ? sameTokens(known.tokens, now.tokens) : 0;
  const { count, text: spelled } = now.tokens;
  const whole = now.text;
  const chars = commonLength(known?.text ?? '', whole ?? '');
  if (known && kept === count && count === known.tokens.count && known.text === whole) return undefined;
  const more = whole?.slice(chars);
  const came = received(kept);
  if (came?.tokens.count === count && (came.text?.kept ?? chars) === chars && came.text?.more === more) return came;
  return {
    part: 'tokens',
    sequence: i,
    kept,
    tokens: {
      ...mapColumns(tokenColumns, now.tokens, (array) => array.slice(kept)),
      ...(spelled && { text: spelled.slice(kept) }),
      count,
    },
    ...(more !== undefined && { text: { kept: chars, more } }),
  };
}

/** How many tokens at the beginning are the same in every respect. */
function sameTokens(a: Tokens, b: Tokens): number {
  let same = Math.min(a.count, b.count);
  const names = [...(Object.keys(tokenColumns) as (keyof typeof tokenColumns)[]), 'text'] as const;
  for (const name of names) {
    const [x, y] = [a[name], b[name]];
    if (x === y) continue;
    if (!x || !y) return 0;
    same = commonLength(x, y, same);
  }
  return same;
}

function commonLength(a: ArrayLike<unknown>, b: ArrayLike<unknown>, most = Math.min(a.length, b.length)): number {
  let same = 0;
  while (same < most && a[same] === b[same]) same++;
  return same;
}

function hasDeferred({ blocks }: Trace, sequence: number): boolean {
  return blocks.some((block) => block.sequence === sequence && Object.keys(columnsOf(block, 'deferred')).length > 0);
}

function columnsOf(block: Block, sent: Sent): Partial<BlockColumns> {
  return Object.fromEntries(
    Object.entries(blockColumns).flatMap(([name, column]) => {
      const array = block[name as keyof typeof blockColumns];
      return column.sent === sent && array ? [[name, array]] : [];
    }),
  );
}

function cellsPiece(trace: Trace, sent: Sent, sequence: number, from: number, count: number): CellsPiece {
  const own = trace.sequences[sequence]!;
  const total = own.tokens.count;
  const { topTokens, predictions: P } = own;
  return {
    part: 'cells',
    sent,
    sequence,
    from,
    count,
    columns:
      sent === 'deferred'
        ? {}
        : {
            ...mapColumns(sequenceColumns, own, (array) => cut(array, 1, total, from, count)),
            ...(topTokens && { topTokens: topTokens.slice(from * P, (from + count) * P) }),
          },
    blocks: trace.blocks.flatMap((block, i) => {
      if (block.sequence !== sequence) return [];
      const rows = block.to - block.from;
      const columns = mapColumns(blockColumns, columnsOf(block, sent), (array) => cut(array, rows, total, from, count));
      return [{ block: i, columns }];
    }),
  };
}

/** Size of a piece's columns. All else a trace shares with its pieces. */
export function bytesOf(piece: TracePiece): number {
  if (piece.part !== 'cells') return 0;
  const { columns, blocks } = piece;
  let bytes = 0;
  for (const part of [columns, ...blocks.map((block) => block.columns)])
    for (const column of Object.values(part) as unknown[]) if (ArrayBuffer.isView(column)) bytes += column.byteLength;
  return bytes;
}

/** The receiving end, for one run. The traces that it builds share their arrays, which later pieces go on filling. */
export class TraceBuilder {
  #frame: TraceFrame | undefined;
  readonly #texts: { readonly text: string | undefined; readonly tokens: Tokens }[] = [];
  readonly #sequences: Columns[] = [];
  readonly #topTokens: string[][] = [];
  readonly #blocks: Columns[] = [];

  add(piece: TracePiece): void {
    switch (piece.part) {
      case 'frame':
        this.#frame = piece.frame;
        break;
      case 'tokens':
        this.#addTokens(piece);
        break;
      case 'cells':
        this.#addCells(piece);
        break;
    }
  }

  /** @throws TypeError if the pieces so far do not make up a trace */
  build({ done }: TraceHead): Trace {
    if (!this.#frame) throw new TypeError('a trace without its frame');
    const { sequences, blocks, ...frame } = this.#frame;
    if (!sequences.every((_, i) => (done[i] ?? NaN) <= (this.#texts[i]?.tokens.count ?? -1)))
      throw new TypeError('a trace without its tokens');
    if (!blocks.every((_, i) => this.#blocks[i]?.['chosen'])) throw new TypeError('a trace without its choices');
    return {
      ...frame,
      sequences: sequences.map((sequence, i): Sequence => {
        const { text, tokens } = this.#texts[i]!;
        const topTokens = this.#topTokens[i];
        return {
          ...sequence,
          ...(text !== undefined && { text }),
          tokens,
          done: done[i]!,
          ...this.#sequences[i],
          ...(topTokens && { topTokens }),
        };
      }),
      blocks: blocks.map((block, i): Block => ({ ...block, ...(this.#blocks[i] as unknown as BlockColumns) })),
    };
  }

  #addTokens({ sequence, kept, tokens, text }: TokensPiece): void {
    const known = this.#texts[sequence];
    this.#texts[sequence] = {
      text: text && (known?.text ?? '').slice(0, text.kept) + text.more,
      tokens: joined(known?.tokens, kept, tokens),
    };
    if (known && known.tokens.count !== tokens.count) this.#resize(sequence, known.tokens.count, tokens.count);
  }

  /** A text that is being generated grows: what is known moves into wider arrays. */
  #resize(sequence: number, from: number, to: number): void {
    const { sequences, blocks } = this.#frame!;
    const shape = sequences[sequence]!;
    const moved = (columns: Columns, space: Space) => {
      const count = Math.min(from, to);
      const wider: Columns = {};
      const known = Object.entries(columns).map(([name, array]) => [name, cut(array, space.rows, from, 0, count)]);
      fill(wider, Object.fromEntries(known) as Columns, space, 0, count);
      return wider;
    };
    const own = this.#sequences[sequence];
    if (own) this.#sequences[sequence] = moved(own, sequenceSpace(shape, to));
    const topTokens = this.#topTokens[sequence];
    if (topTokens) this.#topTokens[sequence] = topTokens.slice(0, to * shape.predictions);
    for (const [i, block] of blocks.entries()) {
      const columns = this.#blocks[i];
      if (block.sequence === sequence && columns) this.#blocks[i] = moved(columns, blockSpace(block, to));
    }
  }

  #addCells({ sequence, from, count, columns, blocks }: CellsPiece): void {
    const shape = this.#frame!.sequences[sequence]!;
    const total = this.#texts[sequence]!.tokens.count;
    const { topTokens, ...own } = columns;
    fill((this.#sequences[sequence] ??= {}), own, sequenceSpace(shape, total), from, count);
    if (topTokens) {
      const all = (this.#topTokens[sequence] ??= []);
      while (all.length < total * shape.predictions) all.push('');
      topTokens.forEach((text, i) => (all[from * shape.predictions + i] = text));
    }
    for (const { block, columns: parts } of blocks) {
      const space = blockSpace(this.#frame!.blocks[block]!, total);
      fill((this.#blocks[block] ??= {}), parts, space, from, count);
    }
  }
}

type Columns = Record<string, ColumnArray>;

/** How columns are laid out: [rows, total, width]. */
interface Space {
  readonly rows: number;
  readonly total: number;
  /** Makes a column in which nothing is known. */
  readonly blank: (name: string) => ColumnArray;
}

function sequenceSpace(shape: Pick<Sequence, 'predictions'>, total: number): Space {
  const empty = (name: string) => {
    const column = name as keyof typeof sequenceColumns;
    return blank(sequenceColumns[column], total * sequenceWidth(shape, column));
  };
  return { rows: 1, total, blank: empty };
}

function blockSpace(block: BlockShape, total: number): Space {
  const rows = block.to - block.from;
  const empty = (name: string) => {
    const column = name as keyof typeof blockColumns;
    return blank(blockColumns[column], rows * total * blockWidth(block, column));
  };
  return { rows, total, blank: empty };
}

/**
 * Puts parts of columns, for the tokens [from, from + count), where they belong; missing columns are made.
 * @throws TypeError for a part of another size
 */
function fill(whole: Columns, parts: Columns, { rows, total, blank: empty }: Space, from: number, count: number): void {
  for (const [name, part] of Object.entries(parts)) {
    const column = (whole[name] ??= empty(name));
    if (part.length * total !== column.length * count || from + count > total)
      throw new TypeError(`a piece of ${name} that does not fit`);
    put(column, part, rows, total, from, count);
  }
}

function joined(known: Tokens | undefined, kept: number, more: Tokens): Tokens {
  if (!known || kept === 0) return more;
  return {
    ...mapColumns(tokenColumns, more, (array, name) => {
      const whole = blank(tokenColumns[name], more.count);
      whole.set(known[name]!.subarray(0, kept));
      whole.set(array, kept);
      return whole;
    }),
    ...(more.text && { text: [...known.text!.slice(0, kept), ...more.text] }),
    count: more.count,
  };
}
