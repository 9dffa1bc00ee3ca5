/** How choices depend on the class of the token and on its position in the text. */
import { z } from 'zod';
import { addTo } from '../../statistics/exactSums.js';
import { tokenText } from '../../trace/text/label.js';
import type { Sequence } from '../../trace/model/trace.js';
import { type Figure, type Piece, readBy } from '../figure.js';
import type { Layout } from '../layout.js';
import { floats } from '../states.js';

const tokenClasses = ['word', 'continued word', 'number', 'punctuation', 'space', 'line end', 'other'] as const;

/** Positions are grouped by powers of two; the last group is everything from 2^19 on. */
const places = 20;

export class Classes implements Figure {
  /** [7, U] and [20, U] choices. */
  readonly byClass: Float64Array;
  readonly byPlace: Float64Array;

  constructor(private readonly layout: Layout) {
    this.byClass = new Float64Array(tokenClasses.length * layout.units);
    this.byPlace = new Float64Array(places * layout.units);
  }

  add(piece: Piece): void {
    const { units } = this.layout;
    for (const { sequence, tokens, rows } of readBy(piece, this.layout)) {
      const earlier = piece.before[piece.trace.sequences.indexOf(sequence)]!.tokens;
      const inClass = tokens.map((t) => classOf(sequence, t) * units);
      const inPlace = tokens.map((t) => placeOf(earlier + t) * units);
      for (const { start, chosen, k } of rows)
        tokens.forEach((t, at) => {
          for (let i = t * k; i < (t + 1) * k; i++) {
            const e = chosen[i]!;
            if (e < 0) continue;
            this.byClass[inClass[at]! + start + e]!++;
            this.byPlace[inPlace[at]! + start + e]!++;
          }
        });
    }
  }

  merge(other: Classes): void {
    addTo(this.byClass, other.byClass);
    addTo(this.byPlace, other.byPlace);
  }

  get state() {
    return { byClass: this.byClass, byPlace: this.byPlace };
  }

  /** One layer's rows of one of the tables. */
  rows(table: 'byClass' | 'byPlace', l: number): Float64Array[] {
    const { units, starts } = this.layout;
    return Array.from({ length: this[table].length / units }, (_, row) =>
      this[table].subarray(row * units + starts[l]!, row * units + starts[l + 1]!),
    );
  }

  static load(layout: Layout, state: unknown): Classes {
    const classes = new Classes(layout);
    const schema = z.object({ byClass: floats(classes.byClass.length), byPlace: floats(classes.byPlace.length) });
    const { byClass, byPlace } = schema.parse(state);
    classes.byClass.set(byClass);
    classes.byPlace.set(byPlace);
    return classes;
  }
}

/** Index into `tokenClasses`, by the vocabulary's spelling, in which a new word begins with a space. */
function classOf(sequence: Sequence, t: number): number {
  const text = sequence.tokens.text?.[t] ?? tokenText(sequence, t);
  const found = patterns.findIndex((pattern) => pattern.test(text));
  return found < 0 ? tokenClasses.length - 1 : found;
}

const patterns = [
  /^[ ▁]\p{L}/u,
  /^[\p{L}\p{M}]+$/u,
  /^[ ▁]?\p{N}+$/u,
  /^[ ▁]?[\p{P}\p{S}]+$/u,
  /^[^\S\n]+$/u,
  /^\s*\n\s*$/u,
];

function placeOf(t: number): number {
  return Math.min(places - 1, Math.floor(Math.log2(t + 1)));
}
