/** What figures are counted from, and what each has to be able to do. */
import type { Layout, Placed } from './layout.js';
import type { Trace } from '../trace/model/trace.js';

export interface AtlasDocument {
  /** No two documents of a corpus have the same. */
  readonly id: string;
  readonly label: string | null;
  /** Hex, of its text. */
  readonly hash: string;
  /** Where it can be found again. */
  readonly place: string;
}

/** One trace of a document: all of it, or where it is longer than the context, a part. */
export interface Piece extends Placed {
  readonly document: AtlasDocument;
  readonly trace: Trace;
  /** Of each sequence: what came before, in tokens and in UTF-16 code units. */
  readonly before: readonly { readonly tokens: number; readonly text: number }[];
}

/**
 * Sums over documents. One that has read a document is merged into that of the corpus: so a document counts whole or not at all.
 * Merging gives the same in any order and over any parts, to the last bit.
 */
export interface Figure {
  add(piece: Piece): void;
  /** The document's last piece was added. */
  close?(document: AtlasDocument): void;
  merge(other: this): void;
  /** Plain objects, numbers, texts and typed arrays; nothing in it rests on the order in which documents came. */
  readonly state: object;
}

export interface FigureKind<F extends Figure> {
  new (layout: Layout): F;
  /** What `state` gave. @throws ZodError */
  load(layout: Layout, state: unknown): F;
}
