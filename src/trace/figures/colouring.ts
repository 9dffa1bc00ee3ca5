/**
 * What colours a text: who leads, over all layers or at the one whose experts are its own, or a number. Page and editor ask
 * here, so that the same choice looks the same.
 */
import { quantile } from '../../statistics/quantile.js';
import { Mean } from '../../statistics/mean.js';
import { type Layer, type Rows, rowsAt, sitesOf } from '../model/access.js';
import { certaintyAt } from './distribution.js';
import type { Trace } from '../model/trace.js';

export const measures = ['entropy', 'margin', 'weight', 'probability', 'surprise'] as const;
/** A number that each token has, whoever it goes to. */
export type TextMeasure = (typeof measures)[number];

export const colourings = ['experts', ...measures, 'nothing'] as const;
export type Colouring = (typeof colourings)[number];

/**
 * What colours a text and its grid in place of what was chosen for all texts, while there is such a thing: the change against
 * another run; who the text owes its tokens to.
 */
export const overlays = ['', 'change', 'attribution'] as const;
export type Overlay = (typeof overlays)[number];

/** As it is chosen, and sent between page and editor. */
export interface ColourChoice {
  readonly by: Colouring;
  /** Key of the layer (`layerKey`) whose experts lead or whose routers are measured; empty: the first, or the mean over all. */
  readonly layer: string;
}

export function isMeasure(by: string): by is TextMeasure {
  return (measures as readonly string[]).includes(by);
}

/** Whether a measure is of routers: how likely a token was is the whole model's. */
export function isByLayer(by: Colouring): boolean {
  return by !== 'probability' && by !== 'surprise' && by !== 'nothing';
}

/** The key of the words that say why a text cannot be coloured so; undefined: it can. */
export function lackFor(trace: Trace, by: Colouring) {
  const hasScores = trace.blocks.some(({ score, selection }) => score ?? selection);
  switch (by) {
    case 'experts':
    case 'nothing':
      return undefined;
    case 'entropy':
      if (!hasScores) return 'scoresNone';
      return trace.router.scoring === undefined ? 'scoringNone' : undefined;
    case 'margin':
      if (!hasScores) return 'scoresNone';
      return trace.router.k === undefined ? 'marginNone' : undefined;
    case 'weight':
      return trace.blocks.some(({ weight }) => weight) ? undefined : 'weightNone';
    case 'probability':
    case 'surprise':
      return trace.sequences.some(({ logProb }) => logProb) ? undefined : 'predictionsNone';
  }
}

/**
 * What a trace is coloured by when this was chosen: it may be of another trace, or rest on scores that are still to come.
 * Better the leaders, then, than nothing.
 */
export function shownBy(trace: Trace, choice: ColourChoice): ColourChoice {
  return lackFor(trace, choice.by) === undefined ? choice : { by: 'experts', layer: '' };
}

export interface Measured {
  /** [T] NaN where it is not known. */
  readonly value: Float32Array;
  /** [T] 0..1, how strong the colour is: the closer the call, the larger the weight, the less expected the token. NaN as `value`. */
  readonly strength: Float32Array;
  /** The values of the weakest colour and of the strongest. */
  readonly weak: number;
  readonly strong: number;
}

/** Of one sequence. @param layer whose routers are measured; default: the mean over all */
export function measured(trace: Trace, sequence: number, by: TextMeasure, layer?: Layer): Measured {
  return scaled(by, valuesOf(trace, sequence, by, sitesOf(trace, { ...layer, sequence })));
}

/** Values on the scale that the usual ones among them span. */
export function scaled(by: TextMeasure, value: Float32Array): Measured {
  const isReversed = by === 'margin' || by === 'probability';
  const [low, high] = by === 'probability' ? [0, 1] : usual(value);
  const strength = value.map((x) => {
    const share = high > low ? Math.min(1, Math.max(0, (x - low) / (high - low))) : 0;
    return Number.isNaN(x) ? NaN : isReversed ? 1 - share : share;
  });
  return { value, strength, weak: isReversed ? high : low, strong: isReversed ? low : high };
}

/** [T] the mean over some sites of a sequence; what is said of the model as a whole is the same at all. NaN where it is not known. */
export function valuesOf(trace: Trace, sequence: number, by: TextMeasure, sites: Int32Array): Float32Array {
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
      for (const s of sites) valuesAt(trace, s, by).forEach((x, t) => means[t]!.add(x));
      return Float32Array.from(means, (mean) => mean.value);
    }
  }
}

const kept = new WeakMap<Trace, Map<string, Float64Array>>();

/** [T] of one site, worked out once: a text asks for the mean over all, a grid for each. */
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

/** That a token's experts have at a site; NaN where none is chosen. */
function largestWeight({ weight, chosen, k }: Rows, t: number): number {
  let most = NaN;
  for (let i = t * k; i < (t + 1) * k; i++) if (weight && chosen[i]! >= 0 && !(weight[i]! <= most)) most = weight[i]!;
  return most;
}

/** All but the lowest and highest of twenty: a single outlier must not pale all others. */
function usual(values: Float32Array): [low: number, high: number] {
  const sorted = values.filter((x) => !Number.isNaN(x)).sort();
  return [quantile(sorted, 0.05), quantile(sorted, 0.95)];
}
