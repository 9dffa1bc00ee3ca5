/** Where a unit is chosen: at its largest weights, and at the same number of random places. */
import { z } from 'zod';
import { mixedIn } from '../../statistics/hash.js';
import { isKnown, type Rows, rowsAt, textTokens } from '../../trace/model/access.js';
import { tokenText } from '../../trace/text/label.js';
import type { Sequence } from '../../trace/model/trace.js';
import type { Figure, Piece } from '../figure.js';
import type { Layout } from '../layout.js';

export const contextKinds = ['top', 'random'] as const;

/** How many contexts of each kind a unit keeps. */
const most = 8;

/** How many of the top contexts may come from one document. */
const mostOfDocument = 2;

/** A context's hash is of document, which is two, token and unit. */
const words = 4;

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

type Text = Pick<Context, 'before' | 'text' | 'after' | 'start' | 'end'>;

/** A context of the piece at hand. Most are replaced by others before its end, so only then is their text cut out. */
class Bare implements Context {
  readonly before = '';
  readonly text = '';
  readonly after = '';
  readonly start = null;
  readonly end = null;

  constructor(
    readonly document: string,
    readonly sequence: number,
    readonly token: number,
    readonly weight: number | null,
    readonly hash: number,
    /** Within the piece. */
    readonly t: number,
  ) {}

  with(text: Text): Context {
    const { document, sequence, token, weight, hash } = this;
    return { document, sequence, token, weight, hash, ...text };
  }
}

export class Contexts implements Figure {
  /** [U], each list in the order of its kind. */
  readonly kept: Readonly<Record<Kind, Context[][]>>;
  constructor(private readonly layout: Layout) {
    const none = () => Array.from({ length: layout.units }, (): Context[] => []);
    this.kept = { top: none(), random: none() };
  }

  add(piece: Piece): void {
    const { document, trace, before, modules } = piece;
    const [high, low] = [0, 8].map((from) => parseInt(document.hash.slice(from, from + 8), 16)) as [number, number];
    const ofDocument = mixedIn(mixedIn(0, high, words), low, words);
    // The units that chose a token share its text.
    const texts = piece.trace.sequences.map(() => new Map<number, Text>());
    modules.forEach((at, l) => {
      const rows = Array.from(at.modules, (s) => rowsAt(trace, s));
      const sequence = trace.sequences.indexOf(at.sequence);
      const start = this.layout.starts[l]!;
      const chosen = new ChosenOver(rows, at.experts.length);
      for (const t of textTokens(at.sequence)) {
        const token = before[sequence]!.tokens + t;
        const ofToken = mixedIn(ofDocument, token, words);
        chosen.look(t);
        for (let i = 0; i < chosen.count; i++) {
          const e = chosen.experts[i]!;
          const unit = start + e;
          const weight = chosen.weights[e]!;
          const hash = mixedIn(ofToken, unit, words) >>> 0;
          const isTop = weight >= (this.kept.top[unit]![mostOfDocument - 1]?.weight ?? -Infinity);
          const isRandom = hash <= (this.kept.random[unit]![most - 1]?.hash ?? Infinity);
          if (!isTop && !isRandom) continue;
          const bare = new Bare(document.id, sequence, token, Number.isNaN(weight) ? null : weight, hash, t);
          if (isTop) this.#insert('top', unit, mostOfDocument, bare);
          if (isRandom) this.#insert('random', unit, most, bare);
        }
      }
      const known = texts[sequence]!;
      const textAt = (t: number): Text => {
        const text = known.get(t) ?? textAbout(at.sequence, t, before[sequence]!.text);
        known.set(t, text);
        return text;
      };
      for (const kind of contextKinds)
        for (const kept of this.kept[kind].slice(start, this.layout.starts[l + 1]))
          kept.forEach((one, i) => {
            if (one instanceof Bare) kept[i] = one.with(textAt(one.t));
          });
    });
  }

  #insert(kind: Kind, unit: number, limit: number, context: Context): void {
    const kept = this.kept[kind][unit]!;
    let i = kept.length;
    while (i > 0 && order[kind](context, kept[i - 1]!) < 0) i--;
    kept.splice(i, 0, context);
    if (kept.length > limit) kept.pop();
  }

  merge(other: Contexts): void {
    for (const kind of contextKinds)
      other.kept[kind].forEach((contexts, unit) => {
        const kept = this.kept[kind][unit]!;
        // Most documents have nothing that comes before what is kept.
        if (contexts.length === 0 || (kept.length === most && order[kind](contexts[0]!, kept[most - 1]!) > 0)) return;
        this.kept[kind][unit] = [...kept, ...contexts].sort(order[kind]).slice(0, most);
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

/** The experts that any module of a layer chose for a token, with each one's largest weight; NaN if unknown. */
class ChosenOver {
  count = 0;
  /** [E] the first `count` are those found. */
  readonly experts: Int32Array;
  /** [E] by expert. */
  readonly weights: Float64Array;
  /** [E] the token, plus one, for which the expert was found last. */
  readonly #foundFor: Int32Array;

  constructor(
    private readonly rows: readonly Rows[],
    experts: number,
  ) {
    this.experts = new Int32Array(experts);
    this.weights = new Float64Array(experts);
    this.#foundFor = new Int32Array(experts);
  }

  look(t: number): void {
    this.count = 0;
    for (const module of this.rows) {
      if (!isKnown(module, t)) continue;
      const { chosen, weight: weights, k } = module;
      for (let i = t * k; i < (t + 1) * k; i++) {
        const e = chosen[i]!;
        if (e < 0) continue;
        const weight = weights?.[i] ?? NaN;
        const isNew = this.#foundFor[e] !== t + 1;
        if (isNew || weight > this.weights[e]!) this.weights[e] = weight;
        if (!isNew) continue;
        this.#foundFor[e] = t + 1;
        this.experts[this.count++] = e;
      }
    }
  }
}

function textAbout(sequence: Sequence, t: number, offset: number): Text {
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

const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];

/** A copy of a part of a text: a plain slice would keep the whole text in memory. Half a character at an end is replaced. */
function own(part: string): string {
  return decoder.decode(encoder.encode(part));
}
