/**
 * What colours a text where each layer has experts of its own: who leads at one layer, or a number. Page and editor ask
 * here, so that the same choice looks the same.
 */
import { quantile } from '../statistics/quantile.js';
import { type Layer, rowsAt, sitesOf } from './access.js';
import { certaintyByToken } from './distribution.js';
import type { Trace } from './trace.js';

export const measures = ['entropy', 'margin', 'weight', 'probability'] as const;
/** A number that each token has, whoever it goes to. */
export type TextMeasure = (typeof measures)[number];

export const colourings = ['experts', ...measures, 'nothing'] as const;
export type Colouring = (typeof colourings)[number];

/** As it is chosen, and sent between page and editor. */
export interface ColourChoice {
  readonly by: Colouring;
  /** Key of the layer (`layerKey`) whose experts lead or whose routers are measured; empty: the first, or the mean over all. */
  readonly layer: string;
}

export function isMeasure(by: Colouring): by is TextMeasure {
  return (measures as readonly string[]).includes(by);
}

/** Whether a measure is of routers: the probability of a token is the whole model's. */
export function isByLayer(by: Colouring): boolean {
  return by !== 'probability' && by !== 'nothing';
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
      return trace.sequences.some(({ logProb }) => logProb) ? undefined : 'predictionsNone';
  }
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
  const value = valuesOf(trace, sequence, by, layer);
  const isReversed = by === 'margin' || by === 'probability';
  const [low, high] = by === 'probability' ? [0, 1] : usual(value);
  const strength = value.map((x) => {
    const share = high > low ? Math.min(1, Math.max(0, (x - low) / (high - low))) : 0;
    return Number.isNaN(x) ? NaN : isReversed ? 1 - share : share;
  });
  return { value, strength, weak: isReversed ? high : low, strong: isReversed ? low : high };
}

function valuesOf(trace: Trace, sequence: number, by: TextMeasure, layer: Layer | undefined): Float32Array {
  const { logProb, tokens } = trace.sequences[sequence]!;
  switch (by) {
    case 'probability':
      return Float32Array.from({ length: tokens.count }, (_, i) => Math.exp(logProb?.[i] ?? NaN));
    case 'weight':
      return firstWeights(trace, sequence, layer);
    case 'entropy':
    case 'margin':
      return certaintyByToken(trace, { ...layer, sequence })[by];
  }
}

/** [T] the largest weight that a token's experts have, the mean over the sites. */
function firstWeights(trace: Trace, sequence: number, layer: Layer | undefined): Float32Array {
  const { count } = trace.sequences[sequence]!.tokens;
  const sums = new Float32Array(count);
  const known = new Int32Array(count);
  for (const s of sitesOf(trace, { ...layer, sequence })) {
    const { weight, chosen, k, done } = rowsAt(trace, s);
    if (!weight) continue;
    for (let t = 0; t < done; t++) {
      if (chosen[t * k]! < 0) continue;
      let most = -Infinity;
      for (let i = t * k; i < (t + 1) * k; i++) if (chosen[i]! >= 0 && weight[i]! > most) most = weight[i]!;
      sums[t]! += most;
      known[t]!++;
    }
  }
  return sums.map((sum, t) => (known[t]! > 0 ? sum / known[t]! : NaN));
}

/** All but the lowest and highest of twenty: a single outlier must not pale all others. */
function usual(values: Float32Array): [low: number, high: number] {
  const sorted = values.filter((x) => !Number.isNaN(x)).sort();
  return [quantile(sorted, 0.05), quantile(sorted, 0.95)];
}
