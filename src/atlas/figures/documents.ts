/** The documents, and how well the model predicts each. */
import { z } from 'zod';
import { isSpecial, textTokens } from '../../trace/model/access.js';
import { covered } from '../../trace/text/label.js';
import type { Sequence } from '../../trace/model/trace.js';
import type { AtlasDocument, Figure, Piece } from '../figure.js';
import type { Layout } from '../layout.js';
import { sorted } from '../states.js';

const schema = z.object({
  id: z.string(),
  label: z.string().nullable(),
  hash: z.string(),
  place: z.string(),
  parts: z.int(),
  /** Text tokens, in all sequences. */
  tokens: z.int(),
  /** Bits and bytes of the tokens that were predicted, as in `gander score`; 0 if the source gave no log-probabilities. */
  bits: z.number(),
  bytes: z.int(),
});

export type DocumentRow = z.infer<typeof schema>;

export class Documents implements Figure {
  readonly #rows = new Map<string, DocumentRow>();

  add({ trace, document }: Piece): void {
    const row = this.#rows.get(document.id) ?? emptyRow(document);
    const { bits, bytes } = scored(trace.sequences.at(-1)!);
    this.#rows.set(document.id, {
      ...row,
      parts: row.parts + 1,
      tokens: trace.sequences.reduce((sum, sequence) => sum + textTokens(sequence).length, row.tokens),
      bits: row.bits + bits,
      bytes: row.bytes + bytes,
    });
  }

  close(document: AtlasDocument): void {
    if (!this.has(document.id)) this.#rows.set(document.id, emptyRow(document));
  }

  merge(other: Documents): void {
    for (const [id, row] of other.#rows) this.#rows.set(id, row);
  }

  has(id: string): boolean {
    return this.#rows.has(id);
  }

  get count(): number {
    return this.#rows.size;
  }

  /** Sorted by id. */
  get rows(): DocumentRow[] {
    return sorted(this.#rows).map(([, row]) => row);
  }

  get state() {
    return { documents: this.rows };
  }

  static load(_layout: Layout, state: unknown): Documents {
    const documents = new Documents();
    for (const row of z.object({ documents: z.array(schema) }).parse(state).documents) documents.#rows.set(row.id, row);
    return documents;
  }
}

function emptyRow({ id, label, hash, place }: AtlasDocument): DocumentRow {
  return { id, label, hash, place, parts: 0, tokens: 0, bits: 0, bytes: 0 };
}

function scored(sequence: Sequence): { bits: number; bytes: number } {
  let [bits, bytes] = [0, 0];
  for (let t = 0; t < sequence.done; t++) {
    const logProb = sequence.logProb?.[t] ?? NaN;
    if (Number.isNaN(logProb) || isSpecial(sequence, t)) continue;
    bits -= logProb / Math.LN2;
    bytes += new TextEncoder().encode(covered(sequence, t)).length;
  }
  return { bits, bytes };
}
