/**
 * What colours a text: the leading expert (over all layers, or in one layer if each has its own experts), or a number. Page
 * and editor share it, so that the same choice looks the same in both.
 */
import { quantile } from '../../statistics/quantile.js';
import { Mean } from '../../statistics/mean.js';
import { type Layer, type Rows, rowsAt, modulesOf } from '../model/access.js';
import { certaintyAt } from './distribution.js';
import type { Trace } from '../model/trace.js';
import { scoreName } from '../text/label.js';

export const measures = ['entropy', 'margin', 'weight', 'probability', 'surprise'] as const;
/** A number for each token, independent of which experts it goes to. */
export type TextMeasure = (typeof measures)[number];

export const colourings = ['experts', ...measures, 'nothing'] as const;
export type Colouring = (typeof colourings)[number];

/**
 * What replaces the chosen colouring of a text and its grid for a while: the change against another run, or the expert that
 * has the largest attribution at each token.
 */
export const overlays = ['', 'change', 'attribution'] as const;
export type Overlay = (typeof overlays)[number];

/** What a text is coloured by, apart from an overlay. */
export interface ColourChoice {
  readonly by: Colouring;
  /** Key (`layerKey`) of the layer shown. Empty: the first layer for experts, the mean over all layers for a number. */
  readonly layer: string;
}

/** A person's choice for one text, which page and editor send each other. What another text cannot show stays chosen for this one. */
export interface TextColour extends ColourChoice {
  /** Drawn instead, where there is something to draw for it. */
  readonly over: Overlay;
  /** The attribution there is was passed over for this choice, so that its tab alone does not bring it back. */
  readonly passed: boolean;
}

export function isMeasure(by: string): by is TextMeasure {
  return (measures as readonly string[]).includes(by);
}

/** Whether a colouring depends on the layer. How likely a token was does not: the model as a whole predicts it. */
export function isByLayer(by: Colouring): boolean {
  return by !== 'probability' && by !== 'surprise' && by !== 'nothing';
}

/** Key of the words that say why a text cannot be coloured this way; undefined: it can. */
export function lackFor(trace: Trace, by: Colouring) {
  const hasScores = trace.blocks.some(({ score, selection }) => score ?? selection);
  switch (by) {
    case 'experts':
    case 'nothing':
      return undefined;
    case 'entropy':
      if (!hasScores) return `${scoreName(trace)}None` as const;
      return trace.router.scoring === undefined ? 'scoringNone' : undefined;
    case 'margin':
      if (!hasScores) return `${scoreName(trace)}None` as const;
      return trace.router.k === undefined ? 'marginNone' : undefined;
    case 'weight':
      return trace.blocks.some(({ weight }) => weight) ? undefined : 'weightNone';
    case 'probability':
    case 'surprise':
      return trace.sequences.some(({ logProb }) => logProb) ? undefined : 'predictionsNone';
  }
}

/**
 * The colouring that is shown for a person's choice. If this trace lacks what it needs (the choice was made for another trace,
 * or the scores are still to come), the leading experts are shown instead.
 */
export function shownBy(trace: Trace, choice: ColourChoice): ColourChoice {
  return lackFor(trace, choice.by) === undefined ? choice : { by: 'experts', layer: '' };
}

export interface Scale {
  /** The values with the weakest and the strongest colour. */
  readonly weak: number;
  readonly strong: number;
  /** Whether some values are past the weak end, and past the strong one: these look like those at it. */
  readonly isPast: readonly [weak: boolean, strong: boolean];
}

export interface Measured extends Scale {
  /** [T] NaN if unknown. */
  readonly value: Float32Array;
  /** [T] 0..1, the strength of the colour: stronger for a smaller margin, a larger weight, a less expected token. NaN as in `value`. */
  readonly strength: Float32Array;
}

/** For one sequence. @param layer whose routers are measured; default: the mean over all */
export function measured(trace: Trace, sequence: number, by: TextMeasure, layer?: Layer): Measured {
  return scaled(by, valuesOf(trace, sequence, by, modulesOf(trace, { ...layer, sequence })));
}

/** @param ends of the scale; default: the range of the usual values */
export function scaled(by: TextMeasure, value: Float32Array, ends?: Pick<Scale, 'weak' | 'strong'>): Measured {
  const isReversed = by === 'margin' || by === 'probability';
  const [first, last] = by === 'probability' ? [0, 1] : ends ? [ends.weak, ends.strong] : usual(value);
  const [low, high] = first < last ? [first, last] : [last, first];
  const strength = value.map((x) => {
    const share = high > low ? Math.min(1, Math.max(0, (x - low) / (high - low))) : 0;
    return Number.isNaN(x) ? NaN : isReversed ? 1 - share : share;
  });
  const past = [value.some((x) => x < low), value.some((x) => x > high)] as const;
  return {
    value,
    strength,
    weak: isReversed ? high : low,
    strong: isReversed ? low : high,
    isPast: isReversed ? [past[1], past[0]] : past,
  };
}

/** [T] the mean over some modules of a sequence; a figure of the whole model ignores them. NaN if unknown. */
export function valuesOf(trace: Trace, sequence: number, by: TextMeasure, modules: Int32Array): Float32Array {
  const { logProb, tokens } = trace.sequences[sequence]!;
  const of = (value: (logProb: number) => number) =>
    Float32Array.from({ length: tokens.count }, (_, i) => value(logProb?.[i] ?? NaN));
  switch (by) {
    case 'probability':
      return of(Math.exp);
    case 'surprise':
      return of((x) => -x);
    case 'weight':
    case 'entropy':
    case 'margin': {
      const means = Array.from({ length: tokens.count }, () => new Mean());
      for (const s of modules) valuesAt(trace, s, by).forEach((x, t) => means[t]!.add(x));
      return Float32Array.from(means, (mean) => mean.value);
    }
  }
}

const kept = new WeakMap<Trace, Map<string, Float64Array>>();

/** [T] for one module, cached: a text needs the mean over all modules, a grid each by itself. */
function valuesAt(trace: Trace, s: number, by: 'weight' | 'entropy' | 'margin'): Float64Array {
  let own = kept.get(trace);
  if (!own) kept.set(trace, (own = new Map<string, Float64Array>()));
  let values = own.get(`${by} ${s}`);
  if (!values) {
    const rows = rowsAt(trace, s);
    values = Float64Array.from({ length: rows.done }, (_, t) =>
      by === 'weight' ? largestWeight(rows, t) : certaintyAt(trace, rows, t)[by],
    );
    own.set(`${by} ${s}`, values);
  }
  return values;
}

/** The largest weight of a token at a module; NaN if no expert was chosen. */
function largestWeight({ weight, chosen, k }: Rows, t: number): number {
  let most = NaN;
  for (let i = t * k; i < (t + 1) * k; i++) if (weight && chosen[i]! >= 0 && !(weight[i]! <= most)) most = weight[i]!;
  return most;
}

/** The 5 % and 95 % quantiles, so that a single outlier does not make all other colours pale. */
function usual(values: Float32Array): [low: number, high: number] {
  // A map has a million of them; `filter` would take as long as the sorting.
  const known = new Float32Array(values.length);
  let count = 0;
  for (const x of values) if (!Number.isNaN(x)) known[count++] = x;
  const sorted = known.subarray(0, count).sort();
  return [quantile(sorted, 0.05), quantile(sorted, 0.95)];
}
