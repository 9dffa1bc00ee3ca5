/** How decided the router was at a cell: the distribution over all experts, its entropy, the margin, the top-k mass. */
import { layersOf, type ModuleFilter, modulesOf, routedK, textTokens, tokenCount } from './access.js';
import { Mean } from './mean.js';
import { forcedAt, selectionScores } from './selection.js';
import type { Trace } from './trace.js';

/** Softmax over the finite scores; NaN and −∞ get 0. All zeros where no score is finite. */
export function softmax(scores: Float32Array): Float32Array {
  let most = -Infinity;
  for (const a of scores) if (a > most) most = a;
  if (most === -Infinity) return new Float32Array(scores.length);
  const p = scores.map((a) => (a > -Infinity ? Math.exp(a - most) : 0));
  let sum = 0;
  for (const x of p) sum += x;
  return p.map((x) => x / sum);
}

/**
 * [N] p: softmax over all experts of the biased selection score. Where fixed weights stand in for the router it is what
 * the router would have leaned to. Undefined where the source gave no affinities.
 */
export function distribution(trace: Trace, m: number, t: number): Float32Array | undefined {
  const scores = selectionScores(trace, m, t);
  return scores && softmax(scores);
}

export interface Certainty {
  /** H(p) / ln E, 0..1, over the E experts with a score; 0 when there is but one. Chance: 1. */
  readonly entropy: number;
  /**
   * a_(k) − a_(k+1) ≥ 0, the distance to a different choice; NaN where no further expert could be chosen, and under
   * fixed weights or a forced expert, where no score decides.
   */
  readonly margin: number;
  /** Σ of p over the k best. Chance: k/E. NaN under fixed weights or a forced expert. */
  readonly mass: number;
}

/**
 * How decided a choice of the k best scores is, in one pass over them; NaN and −∞ take no part.
 * @param k undefined: no choice was made by these scores
 */
export function certainty(scores: Float32Array, k?: number): Certainty {
  const best = new Float64Array((k ?? 0) + 1).fill(-Infinity);
  let experts = 0;
  for (const a of scores) {
    if (!(a > -Infinity)) continue;
    experts++;
    let i = best.length - 1;
    if (!(a > best[i]!)) continue;
    for (; i > 0 && a > best[i - 1]!; i--) best[i] = best[i - 1]!;
    best[i] = a;
  }
  if (experts === 0) return { entropy: NaN, margin: NaN, mass: NaN };
  const most = best[0]!;
  let z = 0;
  let moment = 0;
  for (const a of scores) {
    if (!(a > -Infinity)) continue;
    const x = Math.exp(a - most);
    z += x;
    moment += x * (a - most);
  }
  const entropy = experts === 1 ? 0 : (Math.log(z) - moment / z) / Math.log(experts);
  if (k === undefined) return { entropy, margin: NaN, mass: NaN };
  let mass = 0;
  for (const a of best.subarray(0, k)) mass += Math.exp(a - most) / z;
  return { entropy, margin: experts > k ? best[k - 1]! - best[k]! : NaN, mass };
}

/** How decided the router was at one cell; all NaN where it is not routed yet or the source gave no affinities. */
export function certaintyAt(trace: Trace, m: number, t: number): Certainty {
  const scores = t < trace.done ? selectionScores(trace, m, t) : undefined;
  if (!scores) return { entropy: NaN, margin: NaN, mass: NaN };
  const k = routedK(trace.strategy);
  return certainty(scores, k !== undefined && forcedAt(trace, m, t) < 0 ? k : undefined);
}

export interface Certainties {
  readonly entropy: Float32Array;
  readonly margin: Float32Array;
  readonly mass: Float32Array;
}

/** One token's certainty, the mean over the modules. */
export function certaintyOfToken(trace: Trace, t: number, filter: ModuleFilter = {}): Certainty {
  return meanCertainty(trace, modulesOf(trace, filter), [t]);
}

/** [T] each token's certainty, the mean over the modules; NaN where not defined. */
export function certaintyByToken(trace: Trace, filter: ModuleFilter = {}): Certainties {
  const modules = modulesOf(trace, filter);
  return gather(tokenCount(trace), (t) => meanCertainty(trace, modules, [t]));
}

/** Each layer's certainty, the mean over its modules and the text's tokens; in the order of `layersOf`. */
export function certaintyByLayer(trace: Trace, filter: ModuleFilter = {}): Certainties {
  const layers = layersOf(trace);
  const tokens = textTokens(trace);
  return gather(layers.length, (i) => meanCertainty(trace, modulesOf(trace, { ...filter, layer: layers[i]! }), tokens));
}

/** [L] mean normalised entropy by layer, in the order of `layersOf`. Chance: 1. */
export function entropyByLayer(trace: Trace, filter: ModuleFilter = {}): Float32Array {
  return certaintyByLayer(trace, filter).entropy;
}

function gather(length: number, of: (i: number) => Certainty): Certainties {
  const out = { entropy: new Float32Array(length), margin: new Float32Array(length), mass: new Float32Array(length) };
  for (let i = 0; i < length; i++) {
    const c = of(i);
    [out.entropy[i], out.margin[i], out.mass[i]] = [c.entropy, c.margin, c.mass];
  }
  return out;
}

function meanCertainty(trace: Trace, modules: Iterable<number>, tokens: Int32Array | readonly number[]): Certainty {
  const entropy = new Mean();
  const margin = new Mean();
  const mass = new Mean();
  for (const m of modules) {
    for (const t of tokens) {
      const c = certaintyAt(trace, m, t);
      entropy.add(c.entropy);
      margin.add(c.margin);
      mass.add(c.mass);
    }
  }
  return { entropy: entropy.value, margin: margin.value, mass: mass.value };
}
