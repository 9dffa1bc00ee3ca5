/** What differs between two runs of much the same text, over their aligned tokens. */
import { chosenOffset, isSpecial, layersOf, type ModuleFilter, matches } from './access.js';
import { alignTraces, type Alignment } from './align.js';
import { distribution } from './distribution.js';
import { Mean } from './mean.js';
import { chanceJaccard, chanceSaturation, chosenCount, jaccardOf, saturationOf, shared } from './overlap.js';
import type { Expert, Module, Trace } from './trace.js';
import { usage } from './usage.js';

/** How far the choices of two runs agree, mean over cells whose token is the same; special tokens left out. */
export interface Agreement {
  /** |S ∩ S'| ÷ k. */
  readonly saturation: number;
  /** If both drew evenly: k/E. */
  readonly chanceSaturation: number;
  /** |S ∩ S'| ÷ |S ∪ S'|. */
  readonly jaccard: number;
  readonly chanceJaccard: number;
  /** Jensen-Shannon divergence of p in bits, 0..1; NaN where either source gave no affinities. */
  readonly divergence: number;
  /** Share of cells that chose another set. */
  readonly flipped: number;
  readonly cells: number;
}

export interface Difference {
  readonly alignment: Alignment;
  /** Modules that both runs have, as indexes into each. */
  readonly modules: readonly { readonly module: Module; readonly a: number; readonly b: number }[];
  /** Experts that either run has. */
  readonly experts: readonly Expert[];
  /** [modules, C] how many of a's experts b did not choose; −1 where the column's tokens are not the same. */
  readonly flips: Int8Array;
  readonly all: Agreement;
  readonly layers: readonly number[];
  /** One for each of `layers`. */
  readonly byLayer: readonly Agreement[];
  /** [experts] usage in b − usage in a, over all text tokens of each. */
  readonly usage: Float64Array;
  /** [C] log-probability in b − in a; NaN where the tokens differ or it is not known. */
  readonly logProb: Float32Array;
  /** [C] KL(a‖b) of the next-token predictions in nats, at least; see `predictionDivergence`. */
  readonly predictions: Float32Array;
}

export function difference(a: Trace, b: Trace, filter: ModuleFilter = {}, alignment = alignTraces(a, b)): Difference {
  const inB = new Map(b.modules.map((module, m) => [module.path, m]));
  const modules = a.modules.flatMap((module, m) => {
    const other = inB.get(module.path);
    return other !== undefined && matches(module, filter) ? [{ module, a: m, b: other }] : [];
  });
  const experts = [...a.experts, ...b.experts.filter((e) => !a.experts.some((x) => x.id === e.id))];
  const toB = Int16Array.from(a.experts, (e) => b.experts.findIndex((x) => x.id === e.id));
  const columns = alignment.a.length;
  const flips = new Int8Array(modules.length * columns).fill(-1);
  const layers = layersOf(a).filter((layer) => modules.some(({ module }) => module.layer === layer));
  const total = new Tally();
  const tallies = new Map(layers.map((layer) => [layer, new Tally()]));

  modules.forEach(({ module, a: ma, b: mb }, row) => {
    for (let c = 0; c < columns; c++) {
      if (!alignment.same[c]) continue;
      const [ta, tb] = [alignment.a[c]!, alignment.b[c]!];
      const [atA, atB] = [chosenOffset(a, ma, ta), chosenOffset(b, mb, tb)];
      const common = shared(a.chosen, atA, a.k, b.chosen, atB, b.k, toB);
      const [countA, countB] = [chosenCount(a.chosen, atA, a.k), chosenCount(b.chosen, atB, b.k)];
      flips[row * columns + c] = countA - common;
      if (isSpecial(a, ta)) continue;
      const divergence = jensenShannon(distribution(a, ma, ta), distribution(b, mb, tb), toB);
      for (const tally of [total, tallies.get(module.layer)!])
        tally.add(common, countA, countB, experts.length, divergence);
    }
  });

  return {
    alignment,
    modules,
    experts,
    flips,
    all: total.value,
    layers,
    byLayer: [...tallies.values()].map((tally) => tally.value),
    usage: usageDifference(a, b, experts, filter),
    logProb: Float32Array.from(alignment.a, (ta, c) =>
      alignment.same[c] ? (b.logProb?.[alignment.b[c]!] ?? NaN) - (a.logProb?.[ta] ?? NaN) : NaN,
    ),
    predictions: Float32Array.from(alignment.a, (ta, c) =>
      alignment.same[c] ? predictionDivergence(a, ta, b, alignment.b[c]!) : NaN,
    ),
  };
}

class Tally {
  private readonly saturation = new Mean();
  private readonly chanceSaturation = new Mean();
  private readonly jaccard = new Mean();
  private readonly chanceJaccard = new Mean();
  private readonly divergence = new Mean();
  private readonly flipped = new Mean();

  add(common: number, a: number, b: number, experts: number, divergence: number): void {
    this.divergence.add(divergence);
    this.flipped.add(common < Math.max(a, b) ? 1 : 0);
    if (a === 0 && b === 0) return;
    this.saturation.add(saturationOf(common, a, b));
    this.chanceSaturation.add(chanceSaturation(a, b, experts));
    this.jaccard.add(jaccardOf(common, a, b));
    this.chanceJaccard.add(chanceJaccard(a, b, experts));
  }

  get value(): Agreement {
    return {
      saturation: this.saturation.value,
      chanceSaturation: this.chanceSaturation.value,
      jaccard: this.jaccard.value,
      chanceJaccard: this.chanceJaccard.value,
      divergence: this.divergence.value,
      flipped: this.flipped.value,
      cells: this.flipped.count,
    };
  }
}

/** In bits, 0..1. Experts that only one side has count as 0 on the other. */
export function jensenShannon(p: Float32Array | undefined, q: Float32Array | undefined, toQ: Int16Array): number {
  if (!p || !q) return NaN;
  // Σ ½ x log₂(x / mean): what is q's alone has x / mean = 2, that is ½ x.
  let bits = 0;
  let qSeen = 0;
  for (let e = 0; e < p.length; e++) {
    const x = p[e]!;
    const y = toQ[e]! < 0 ? 0 : q[toQ[e]!]!;
    qSeen += y;
    if (x > 0) bits += 0.5 * x * Math.log2((2 * x) / (x + y));
    if (y > 0) bits += 0.5 * y * Math.log2((2 * y) / (x + y));
  }
  return Math.min(1, Math.max(0, bits + 0.5 * Math.max(0, 1 - qSeen)));
}

function usageDifference(a: Trace, b: Trace, experts: readonly Expert[], filter: ModuleFilter): Float64Array {
  const [inA, inB] = [usage(a, filter).share, usage(b, filter).share];
  const shareOf = (trace: Trace, share: Float64Array, id: string) =>
    share[trace.experts.findIndex((e) => e.id === id)] ?? 0;
  return Float64Array.from(experts, ({ id }) => shareOf(b, inB, id) - shareOf(a, inA, id));
}

/**
 * KL(a‖b) in nats between the predictions after two tokens, from below: the tokens that both list, and all others taken
 * as one. Merging outcomes never adds divergence (log-sum inequality), so the true value is at least this.
 */
export function predictionDivergence(a: Trace, ta: number, b: Trace, tb: number): number {
  if (!a.topIds || !a.topLogProb || !b.topIds || !b.topLogProb) return NaN;
  let kl = 0;
  let restA = 1;
  let restB = 1;
  for (let i = ta * a.predictions; i < (ta + 1) * a.predictions; i++) {
    const j = b.topIds.subarray(tb * b.predictions, (tb + 1) * b.predictions).indexOf(a.topIds[i]!);
    if (j < 0) continue;
    const [logP, logQ] = [a.topLogProb[i]!, b.topLogProb[tb * b.predictions + j]!];
    kl += Math.exp(logP) * (logP - logQ);
    restA -= Math.exp(logP);
    restB -= Math.exp(logQ);
  }
  // Rounding may leave a rest a little below 0; raising b's only lowers the bound.
  if (restA > 0) kl += restA * Math.log(restA / Math.max(restB, 1e-7));
  return Math.max(0, kl);
}
