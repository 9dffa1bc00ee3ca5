/** What figures are counted from, and what each figure must be able to do. */
import type { Layout, Placed } from './layout.js';
import { type Rows, rowsAt, textTokens } from '../trace/model/access.js';
import type { Trace } from '../trace/model/trace.js';

export interface AtlasDocument {
  /** Unique within a corpus. */
  readonly id: string;
  readonly label: string | null;
  /** Of its text, in hex. */
  readonly hash: string;
  /** Where the document can be found. */
  readonly place: string;
}

/** One trace of a document: of all of it or, if it is longer than the context, of a part. */
export interface Piece extends Placed {
  readonly document: AtlasDocument;
  readonly trace: Trace;
  /** For each sequence, how much of the document came before, in tokens and in UTF-16 code units. */
  readonly before: readonly { readonly tokens: number; readonly text: number }[];
}

/** The rows of a module, and the unit that its first expert is. */
interface ReadRows extends Pick<Rows, 'chosen' | 'k'> {
  readonly start: number;
}

/** What a token is, is the same for all layers that read it: its tokens once, and the rows of all modules over them. */
export function readBy({ trace, modules }: Piece, { starts }: Layout) {
  return trace.sequences.map((sequence) => ({
    sequence,
    tokens: textTokens(sequence),
    rows: modules.flatMap((at, l): ReadRows[] => {
      if (at.sequence !== sequence) return [];
      return Array.from(at.modules, (s) => {
        const { chosen, k } = rowsAt(trace, s);
        return { chosen, k, start: starts[l]! };
      });
    }),
  }));
}

/**
 * Sums over documents. Each document gets a figure of its own, which is then merged into that of the corpus, so that a document
 * counts entirely or not at all. Merging gives the same result in any order and over any parts, to the last bit.
 */
export interface Figure {
  add(piece: Piece): void;
  /** Called after the document's last piece. */
  close?(document: AtlasDocument): void;
  merge(other: this): void;
  /** Plain objects, numbers, strings and typed arrays, independent of the order of documents. */
  readonly state: object;
}

export interface FigureKind<F extends Figure> {
  new (layout: Layout): F;
  /** Restores what `state` returned. @throws ZodError */
  load(layout: Layout, state: unknown): F;
}
