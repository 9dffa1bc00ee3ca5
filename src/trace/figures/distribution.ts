/** How certain the router was at a cell: the distribution over all experts, its entropy, the margin, the top-k probability. */
import { layersOf, type Rows, rowsAt, type ModuleFilter, modulesOf, textTokens } from '../model/access.js';
import { Mean } from '../../statistics/mean.js';
import { weighing } from '../model/router.js';
import { biasedScores, forcedAt, selectionScores } from '../model/selection.js';
import type { Router, Trace } from '../model/trace.js';

type Scoring = NonNullable<Router['scoring']>;

/** Softmax over the finite scores; NaN and −∞ get 0. All zeros if no score is finite. */
export function softmax(scores: Float32Array): Float32Array {
  let most = -Infinity;
  for (const a of scores) if (a > most) most = a;
  if (most === -Infinity) return new Float32Array(scores.length);
  return overSum(scores.map((a) => (a > -Infinity ? Math.exp(a - most) : 0)));
}

const sigmoid = (a: number) => 1 / (1 + Math.exp(-a));

function overSum(values: Float32Array): Float32Array {
  let sum = 0;
  for (const x of values) sum += x;
  return sum > 0 ? values.map((x) => x / sum) : values;
}

/**
 * [N] p: the router distribution over all experts that could be chosen; under `sigmoid`, each sigmoid divided by their sum.
 * If fixed weights replace the router, it is what the router would have given. Undefined if the source gave no scores, or
 * did not say how they become a distribution.
 */
export function distribution(trace: Trace, rows: Rows, t: number): Float32Array | undefined {
  const { scoring } = trace.router;
  const scores = biasedScores(rows, t);
  if (!scores || !scoring) return undefined;
  const compared = selectionScores(rows, t)!;
  const eligible = rows.selection ? scores.map((a, e) => (compared[e]! > -Infinity ? a : -Infinity)) : scores;
  return scoring === 'softmax' ? softmax(eligible) : overSum(eligible.map((a) => (a > -Infinity ? sigmoid(a) : 0)));
}

export interface Certainty {
  /** H(p) / ln E, 0..1, over the E experts with a score; 0 if there is only one. Chance: 1. NaN if p is unknown. */
  readonly entropy: number;
  /**
   * s_(k) − s_(k+1) ≥ 0 of the scores that were compared: how much would have to change for another choice. NaN if no further
   * expert could be chosen, and under fixed weights or a forced expert, where no score decides.
   */
  readonly margin: number;
  /** Top-k probability: Σ of p over the k best. Chance: k/E. NaN if p is unknown, and under fixed weights or a forced expert. */
  readonly topKProbability: number;
}

/**
 * How certain a choice of the k best scores is; NaN and −∞ are left out.
 * @param k undefined if these scores did not decide
 * @param scores the raw scores, mostly the same array; without them, or without `scoring`, entropy and mass are unknown
 * @param from where the cell's scores begin in both arrays @param to where they end
 */
export function certainty(
  compared: Float32Array,
  k: number | undefined,
  scoring: Scoring | undefined,
  scores: Float32Array | undefined,
  from = 0,
  to = compared.length,
): Certainty {
  const { best, places, likelihoods } = roomFor((k ?? 0) + 1, to - from);
  let experts = 0;
  let most = -Infinity;
  for (let e = from; e < to; e++) {
    const a = compared[e]!;
    if (!(a > -Infinity)) continue;
    experts++;
    if (scores && scores[e]! > most) most = scores[e]!;
    let i = best.length - 1;
    if (!(a > best[i]!)) continue;
    for (; i > 0 && a > best[i - 1]!; i--) {
      best[i] = best[i - 1]!;
      places[i] = places[i - 1]!;
    }
    best[i] = a;
    places[i] = e - from;
  }
  const margin = k !== undefined && experts > k ? best[k - 1]! - best[k]! : NaN;
  if (!scores || !scoring || most === -Infinity) return { entropy: NaN, margin, topKProbability: NaN };
  // For p = x / z: H = ln z − Σ x ln x / z; under softmax, ln x is a − max.
  let z = 0;
  let moment = 0;
  for (let e = from; e < to; e++) {
    const a = scores[e]!;
    if (!(compared[e]! > -Infinity && a > -Infinity)) continue;
    const x = scoring === 'softmax' ? Math.exp(a - most) : sigmoid(a);
    likelihoods[e - from] = x;
    z += x;
    if (x > 0) moment += x * (scoring === 'softmax' ? a - most : Math.log(x));
  }
  const entropy = experts === 1 ? 0 : (Math.log(z) - moment / z) / Math.log(experts);
  if (k === undefined) return { entropy, margin, topKProbability: NaN };
  let topKProbability = 0;
  for (let i = 0; i < Math.min(k, experts); i++) topKProbability += likelihoods[places[i]!]! / z;
  return { entropy, margin, topKProbability };
}

let room = { best: new Float64Array(0), places: new Int32Array(0), likelihoods: new Float64Array(0) };

/** The same arrays each time: a corpus has millions of cells. */
function roomFor(best: number, experts: number): typeof room {
  if (room.best.length !== best || room.likelihoods.length !== experts)
    room = {
      best: new Float64Array(best),
      places: new Int32Array(best),
      likelihoods: new Float64Array(experts),
    };
  room.best.fill(-Infinity);
  return room;
}

const unknown: Certainty = { entropy: NaN, margin: NaN, topKProbability: NaN };

/** The router's certainty at one cell; NaN for what is unknown there. */
export function certaintyAt({ router }: Trace, rows: Rows, t: number): Certainty {
  if (t >= rows.done) return unknown;
  // A layer may choose fewer experts than the others.
  const k = router.k === undefined || forcedAt(rows, t) >= 0 ? undefined : Math.min(router.k, rows.k);
  const { experts, score, selection, whatIf } = rows;
  // A view for each of a corpus's millions of cells would cost more than the figures.
  if (score && !selection && !whatIf) return certainty(score, k, router.scoring, score, t * experts, (t + 1) * experts);
  const compared = selectionScores(rows, t);
  if (!compared) return unknown;
  return certainty(compared, k, router.scoring, rows.selection ? biasedScores(rows, t) : compared);
}

/** Whether the distribution decided the choices of a sequence's text: fixed weights or a forced expert leave it nothing. */
export function decided(trace: Trace, sequence: number): 'everywhere' | 'in part' | 'nowhere' {
  if (weighing(trace) === 'fixed') return 'nowhere';
  if (!trace.interventions.some(({ action }) => action === 'force')) return 'everywhere';
  const tokens = textTokens(trace.sequences[sequence]!);
  let [free, forced] = [false, false];
  for (const s of modulesOf(trace, { sequence })) {
    const rows = rowsAt(trace, s);
    for (const t of tokens) {
      if (forcedAt(rows, t) >= 0) forced = true;
      else free = true;
    }
  }
  return !forced ? 'everywhere' : free ? 'in part' : 'nowhere';
}

export interface Certainties {
  readonly entropy: Float32Array;
  readonly margin: Float32Array;
  readonly topKProbability: Float32Array;
}

/** One token's certainty in a sequence, the mean over the modules that match a filter. */
export function certaintyOfToken(trace: Trace, t: number, filter: ModuleFilter = {}): Certainty {
  const mean = new MeanCertainty();
  for (const s of modulesOf(trace, { sequence: 0, ...filter })) mean.add(certaintyAt(trace, rowsAt(trace, s), t));
  return mean.value;
}

/**
 * [T] each token's certainty in one sequence (the first, unless the filter names another), the mean over the modules; NaN
 * if undefined.
 */
export function certaintyByToken(trace: Trace, filter: ModuleFilter = {}): Certainties {
  const inSequence = { ...filter, sequence: filter.sequence ?? 0 };
  const means = Array.from({ length: trace.sequences[inSequence.sequence]!.tokens.count }, () => new MeanCertainty());
  for (const s of modulesOf(trace, inSequence)) {
    const rows = rowsAt(trace, s);
    for (let t = 0; t < rows.done; t++) means[t]!.add(certaintyAt(trace, rows, t));
  }
  return gather(means);
}

/** Each layer's certainty, the mean over its modules and the text's tokens; in the order of `layersOf(trace, filter)`. */
export function certaintyByLayer(trace: Trace, filter: ModuleFilter = {}): Certainties {
  const layers = layersOf(trace, filter);
  const means = layers.map(() => new MeanCertainty());
  const tokens = trace.sequences.map(textTokens);
  for (const s of modulesOf(trace, filter)) {
    const rows = rowsAt(trace, s);
    const mean =
      means[layers.findIndex(({ stack, layer }) => rows.module.stack === stack && rows.module.layer === layer)]!;
    for (const t of tokens[rows.module.sequence]!) mean.add(certaintyAt(trace, rows, t));
  }
  return gather(means);
}

/** [L] mean normalised entropy by layer, in the order of `layersOf(trace, filter)`. Chance: 1. */
export function entropyByLayer(trace: Trace, filter: ModuleFilter = {}): Float32Array {
  return certaintyByLayer(trace, filter).entropy;
}

class MeanCertainty {
  readonly #entropy = new Mean();
  readonly #margin = new Mean();
  readonly #topKProbability = new Mean();

  add({ entropy, margin, topKProbability }: Certainty): void {
    this.#entropy.add(entropy);
    this.#margin.add(margin);
    this.#topKProbability.add(topKProbability);
  }

  get value(): Certainty {
    return { entropy: this.#entropy.value, margin: this.#margin.value, topKProbability: this.#topKProbability.value };
  }
}

function gather(means: readonly MeanCertainty[]): Certainties {
  const values = means.map(({ value }) => value);
  return {
    entropy: Float32Array.from(values, ({ entropy }) => entropy),
    margin: Float32Array.from(values, ({ margin }) => margin),
    topKProbability: Float32Array.from(values, ({ topKProbability }) => topKProbability),
  };
}
