/** Where a unit is chosen: at its largest weights, and at the same number of random places. */
import { z } from 'zod';
import { mixed } from '../../statistics/hash.js';
import { chosenAt, isKnown, type Rows, rowsAt, textTokens } from '../../trace/model/access.js';
import { tokenText } from '../../trace/text/label.js';
import type { Sequence } from '../../trace/model/trace.js';
import type { Figure, Piece } from '../figure.js';
import type { Layout } from '../layout.js';

export const contextKinds = ['top', 'random'] as const;

/** How many contexts of each kind a unit keeps. */
const most = 8;

/** How many of the top contexts may come from one document. */
const mostOfDocument = 2;

/** Characters of text on either side of the token. */
const around = 40;

const schema = z.object({
  document: z.string(),
  /** `sequence` and `token` count within the document. */
  sequence: z.int().min(0),
  token: z.int().min(0),
  /** Null if the source gave no weights. */
  weight: z.number().nullable(),
  /** 32 bits from document, token and unit; the smallest hashes are the random contexts. */
  hash: z.number(),
  before: z.string(),
  text: z.string(),
  after: z.string(),
  /** Offsets of the token in the document's text, in UTF-16 code units; null if the source gave none. */
  start: z.int().nullable(),
  end: z.int().nullable(),
});

export type Context = z.infer<typeof schema>;

type Kind = (typeof contextKinds)[number];

const order: Readonly<Record<Kind, (a: Context, b: Context) => number>> = {
  top: (a, b) => (b.weight ?? -Infinity) - (a.weight ?? -Infinity) || byPlace(a, b),
  random: (a, b) => a.hash - b.hash || byPlace(a, b),
};

function byPlace(a: Context, b: Context): number {
  return (
    (a.document < b.document ? -1 : a.document > b.document ? 1 : 0) || a.sequence - b.sequence || a.token - b.token
  );
}

export class Contexts implements Figure {
  /** [U], each list in the order of its kind. */
  readonly kept: Readonly<Record<Kind, Context[][]>>;

  constructor(private readonly layout: Layout) {
    const none = () => Array.from({ length: layout.units }, (): Context[] => []);
    this.kept = { top: none(), random: none() };
  }

  add(piece: Piece): void {
    piece.modules.forEach((at, l) => {
      const rows = Array.from(at.modules, (s) => rowsAt(piece.trace, s));
      const weights = new Float64Array(at.experts.length);
      for (const t of textTokens(at.sequence))
        for (const e of chosenOver(rows, t, weights)) this.#offer(piece, l, t, e, weights[e]!);
    });
  }

  #offer(piece: Piece, l: number, t: number, e: number, weight: number): void {
    const { document, before, trace, modules } = piece;
    const unit = this.layout.starts[l]! + e;
    const sequence = trace.sequences.indexOf(modules[l]!.sequence);
    const token = before[sequence]!.tokens + t;
    const hash = mixed(parseInt(document.hash.slice(0, 8), 16), parseInt(document.hash.slice(8, 16), 16), token, unit);
    const bare = { document: document.id, sequence, token, weight: Number.isNaN(weight) ? null : weight, hash };
    const make = () => ({ ...bare, ...textAbout(modules[l]!.sequence, t, before[sequence]!.text) });
    if (bare.weight !== null) this.#insert('top', unit, mostOfDocument, bare, make);
    this.#insert('random', unit, most, bare, make);
  }

  /** Cuts out the text only for contexts that are kept. */
  #insert(kind: Kind, unit: number, limit: number, bare: Partial<Context>, make: () => Context): void {
    const kept = this.kept[kind][unit]!;
    if (kept.length >= limit && order[kind](bare as Context, kept.at(-1)!) >= 0) return;
    kept.push(make());
    kept.sort(order[kind]);
    if (kept.length > limit) kept.pop();
  }

  merge(other: Contexts): void {
    for (const kind of contextKinds)
      other.kept[kind].forEach((contexts, unit) => {
        if (contexts.length === 0) return;
        this.kept[kind][unit] = [...this.kept[kind][unit]!, ...contexts].sort(order[kind]).slice(0, most);
      });
  }

  get state() {
    return this.kept;
  }

  static load(layout: Layout, state: unknown): Contexts {
    const units = z.array(z.array(schema)).length(layout.units);
    const { top, random } = z.object({ top: units, random: units }).parse(state);
    const contexts = new Contexts(layout);
    for (let u = 0; u < layout.units; u++) {
      contexts.kept.top[u] = top[u]!;
      contexts.kept.random[u] = random[u]!;
    }
    return contexts;
  }
}

/** The experts that any module of a layer chose for a token, with each one's largest weight in `weights`; NaN if unknown. */
function chosenOver(rows: readonly Rows[], t: number, weights: Float64Array): Set<number> {
  const found = new Set<number>();
  for (const module of rows) {
    if (!isKnown(module, t)) continue;
    chosenAt(module, t).forEach((e, i) => {
      if (e < 0) return;
      const weight = module.weight?.[t * module.k + i] ?? NaN;
      weights[e] = found.has(e) && !(weight > weights[e]!) ? weights[e]! : weight;
      found.add(e);
    });
  }
  return found;
}

function textAbout(sequence: Sequence, t: number, offset: number) {
  const { text, tokens } = sequence;
  const [start, end] = [tokens.start?.[t] ?? -1, tokens.end?.[t] ?? -1];
  if (text === undefined || start < 0)
    return { before: '', text: own(tokenText(sequence, t)), after: '', start: null, end: null };
  return {
    before: own(text.slice(Math.max(0, start - around), start)),
    text: own(text.slice(start, end)),
    after: own(text.slice(end, end + around)),
    start: offset + start,
    end: offset + end,
  };
}

/** A copy of a part of a text: a plain slice would keep the whole text in memory. Half a character at an end is replaced. */
function own(part: string): string {
  return new TextDecoder().decode(new TextEncoder().encode(part));
}
