/** Which tokens a unit is chosen at, which come next, and which are predicted there. */
import { z } from 'zod';
import { addTo } from '../../statistics/exactSums.js';
import type { Sequence } from '../../trace/model/trace.js';
import { type Figure, type Piece, readBy } from '../figure.js';
import type { Layout } from '../layout.js';
import { floats } from '../states.js';

/** A token's role in a choice: it was read there, it came next, or the model predicted it as the likeliest next one. */
export const tokenKinds = ['read', 'next', 'predicted'] as const;

export type TokenKind = (typeof tokenKinds)[number];

/** How many token × unit counts of each kind are kept (128 MB). */
const budget = 2 ** 24;

/** Key of all tokens beyond the budget. */
export const otherTokens = -1;

export class Vocabulary implements Figure {
  /** [U] how often each unit was chosen at a token, by the token's id. */
  readonly counts: Readonly<Record<TokenKind, Map<number, Float64Array>>>;
  readonly texts = new Map<number, string>();
  /** Smaller ids are counted separately. Tokenizers number tokens in the order in which they learned them, frequent ones first. */
  readonly apart: number;

  constructor(private readonly layout: Layout) {
    this.counts = { read: new Map(), next: new Map(), predicted: new Map() };
    this.apart = Math.floor(budget / layout.units);
  }

  add(piece: Piece): void {
    for (const { sequence, tokens, rows } of readBy(piece, this.layout))
      for (const kind of tokenKinds) {
        const idOf = idsOf(kind, sequence);
        if (!idOf) continue;
        const countsOf = Array.from(tokens, (t) => {
          const id = idOf(t);
          return id < 0 ? undefined : this.#countsOf(kind, id, () => spelled(kind, sequence, t));
        });
        for (const { start, chosen, k } of rows)
          countsOf.forEach((counts, at) => {
            const t = tokens[at]!;
            for (let i = t * k; counts && i < (t + 1) * k; i++) if (chosen[i]! >= 0) counts[start + chosen[i]!]!++;
          });
      }
  }

  #countsOf(kind: TokenKind, id: number, text: () => string | undefined): Float64Array {
    const key = id < this.apart ? id : otherTokens;
    if (key >= 0 && !this.texts.has(key)) this.#name(key, text());
    const counts = this.counts[kind].get(key) ?? new Float64Array(this.layout.units);
    this.counts[kind].set(key, counts);
    return counts;
  }

  /** If sources spell a token differently, the spelling that sorts first is kept. */
  #name(id: number, text: string | undefined): void {
    const known = this.texts.get(id);
    if (text !== undefined && (known === undefined || text < known)) this.texts.set(id, text);
  }

  merge(other: Vocabulary): void {
    for (const kind of tokenKinds)
      for (const [id, counts] of other.counts[kind]) {
        const mine = this.counts[kind].get(id);
        if (mine) addTo(mine, counts);
        else this.counts[kind].set(id, counts.slice());
      }
    for (const [id, text] of other.texts) this.#name(id, text);
  }

  get state() {
    const texts = [...this.texts].sort(([a], [b]) => a - b);
    return {
      ids: Float64Array.from(texts, ([id]) => id),
      texts: texts.map(([, text]) => text),
      ...Object.fromEntries(tokenKinds.map((kind) => [kind, this.#stateOf(kind)])),
    };
  }

  #stateOf(kind: TokenKind) {
    const kept = [...this.counts[kind]].sort(([a], [b]) => a - b);
    const counts = new Float64Array(kept.length * this.layout.units);
    kept.forEach(([, row], i) => counts.set(row, i * this.layout.units));
    return { ids: Float64Array.from(kept, ([id]) => id), counts };
  }

  static load(layout: Layout, state: unknown): Vocabulary {
    const table = z
      .object({ ids: z.instanceof(Float64Array), counts: z.instanceof(Float64Array) })
      .refine(({ ids, counts }) => counts.length === ids.length * layout.units);
    const schema = z.object({
      ids: z.instanceof(Float64Array),
      texts: z.array(z.string()),
      read: table,
      next: table,
      predicted: table,
    });
    const saved = schema.parse(state);
    floats(saved.texts.length).parse(saved.ids);
    const vocabulary = new Vocabulary(layout);
    saved.texts.forEach((text, i) => vocabulary.texts.set(saved.ids[i]!, text));
    for (const kind of tokenKinds) {
      const { ids, counts } = saved[kind];
      ids.forEach((id, i) => vocabulary.counts[kind].set(id, counts.slice(i * layout.units, (i + 1) * layout.units)));
    }
    return vocabulary;
  }
}

/** Gives the token that a choice at token t is counted under; below 0: none. */
function idsOf(kind: TokenKind, { tokens, topIds, predictions, done }: Sequence): ((t: number) => number) | undefined {
  const { ids } = tokens;
  if (kind === 'predicted') return topIds && predictions > 0 ? (t) => topIds[t * predictions]! : undefined;
  if (!ids) return undefined;
  return kind === 'read' ? (t) => ids[t]! : (t) => (t + 1 < done ? ids[t + 1]! : -1);
}

function spelled(kind: TokenKind, { tokens, topTokens, predictions }: Sequence, t: number): string | undefined {
  if (kind === 'predicted') return topTokens?.[t * predictions];
  return tokens.text?.[kind === 'read' ? t : t + 1];
}
