/** What differs between two runs of similar texts, over their aligned tokens. */
import {
  chosenCount,
  isKnown,
  isSpecial,
  type Layer,
  layersAmong,
  type Rows,
  rowsAt,
  type SharedModules,
  sharedModules,
  type ModuleFilter,
  modulesOf,
} from '../model/access.js';
import { alignTraces, type Alignment } from '../alignment/align.js';
import { distribution } from './distribution.js';
import { Mean, sum } from '../../statistics/mean.js';
import { chanceJaccard, chanceTopKOverlap, jaccardOf, topKOverlapOf, shared } from '../../statistics/sets.js';
import { tokensWithin } from '../model/ranges.js';
import type { Expert, Sequence, RoutedModule, TokenRange, Trace } from '../model/trace.js';
import { usage } from './usage.js';

/** How far the choices of two runs agree: means over cells whose token is the same, without special tokens. */
export interface Agreement {
  /** |S ∩ S'| ÷ k. */
  readonly topKOverlap: number;
  /** For even draws on both sides: k/E. */
  readonly chanceTopKOverlap: number;
  /** |S ∩ S'| ÷ |S ∪ S'|. */
  readonly jaccard: number;
  readonly chanceJaccard: number;
  /** Jensen-Shannon divergence of p in bits, 0..1; NaN if p is unknown in either run. */
  readonly divergence: number;
  /** Share of cells with different sets of experts. */
  readonly flipped: number;
  readonly cells: number;
}

/**
 * Cells are compared module by module, each within its own experts. The agreement can therefore be averaged even over modules whose
 * experts are unrelated.
 */
export interface Difference {
  readonly alignment: Alignment;
  /** The modules over the aligned tokens that both runs have, with their index in each run. */
  readonly modules: readonly { readonly module: RoutedModule; readonly a: number; readonly b: number }[];
  /** [modules, C] how many experts of the larger choice the other run did not choose; −1 if the column's tokens differ, or a source says nothing about one. */
  readonly flips: Int16Array;
  /** How many tokens `all` is about: those that both have and whose choices are known, without special ones. */
  readonly tokens: number;
  readonly all: Agreement;
  readonly layers: readonly Layer[];
  /** In the order of `layers`. */
  readonly byLayer: readonly Agreement[];
  /** Absent if the modules do not all have the same experts. */
  readonly usage?: UsageDifference;
  /** [C] log-probability in b − in a; NaN if the tokens differ or it is unknown. */
  readonly logProb: Float32Array;
  /** [C] lower bound of KL(a‖b) of the next-token predictions, in nats; see `predictionDivergence`. */
  readonly predictions: Float32Array;
}

export interface UsageDifference {
  /** The experts of either run. */
  readonly experts: readonly Expert[];
  /** [experts] usage in b − usage in a, over all text tokens of each; within ranges, over those that both runs have there. */
  readonly change: Float64Array;
}

/**
 * For the tokens of one sequence: the first, unless the filter names another.
 *
 * @param within only a's tokens in these ranges; all other columns are treated as different tokens
 */
export function difference(
  a: Trace,
  b: Trace,
  filter: ModuleFilter = {},
  aligned = alignTraces(a, b, filter.sequence),
  within?: readonly TokenRange[],
): Difference {
  const alignment = within ? narrowed(aligned, tokensWithin(within, tokensOf(a, filter.sequence))) : aligned;
  const about = { ...filter, sequence: filter.sequence ?? 0 };
  const inB = new Map(Array.from(modulesOf(b, about), (s) => [b.modules[s]!.path, s]));
  const modules = Array.from(modulesOf(a, about)).flatMap((s) => {
    const module = a.modules[s]!;
    const other = inB.get(module.path);
    return other === undefined ? [] : [{ module, a: s, b: other }];
  });
  const columns = alignment.a.length;
  const flips = new Int16Array(modules.length * columns).fill(-1);
  const isCounted = new Uint8Array(columns);
  const layers = layersAmong(
    a,
    Int32Array.from(modules, (s) => s.a),
  );
  const total = new Tally();
  const tallies = layers.map(() => new Tally());
  const [textA, textB] = [a.sequences[about.sequence], b.sequences[about.sequence]];
  const pairOf = pairing();

  modules.forEach(({ module, a: sa, b: sb }, row) => {
    const [rowsA, rowsB] = [rowsAt(a, sa), rowsAt(b, sb)];
    const { toB, experts } = pairOf(rowsA, rowsB);
    const ofLayer = tallies[layers.findIndex(({ stack, layer }) => stack === module.stack && layer === module.layer)]!;
    for (let c = 0; c < columns; c++) {
      if (!alignment.same[c]) continue;
      const [ta, tb] = [alignment.a[c]!, alignment.b[c]!];
      if (!isKnown(rowsA, ta) || !isKnown(rowsB, tb)) continue;
      const common = shared(rowsA.chosen, ta * rowsA.k, rowsA.k, rowsB.chosen, tb * rowsB.k, rowsB.k, toB);
      const [countA, countB] = [chosenCount(rowsA, ta), chosenCount(rowsB, tb)];
      flips[row * columns + c] = Math.max(countA, countB) - common;
      if (isSpecial(textA!, ta)) continue;
      isCounted[c] = 1;
      const divergence = jensenShannon(distribution(a, rowsA, ta), distribution(b, rowsB, tb), toB);
      total.add(common, countA, countB, experts, divergence);
      ofLayer.add(common, countA, countB, experts, divergence);
    }
  });

  const ofColumns = (value: (a: Sequence, ta: number, b: Sequence, tb: number) => number) =>
    Float32Array.from(alignment.a, (ta, c) =>
      alignment.same[c] && textA && textB ? value(textA, ta, textB, alignment.b[c]!) : NaN,
    );
  const [sharedA, sharedB] = [sharedModules(a, about), sharedModules(b, about)];
  return {
    alignment,
    modules,
    flips,
    tokens: sum(isCounted),
    all: total.value,
    layers,
    byLayer: tallies.map((tally) => tally.value),
    ...(sharedA && sharedB && { usage: usageDifference(a, sharedA, b, sharedB, within && alignment) }),
    logProb: ofColumns((x, tx, y, ty) => (y.logProb?.[ty] ?? NaN) - (x.logProb?.[tx] ?? NaN)),
    predictions: ofColumns(predictionDivergence),
  };
}

/** Keeps as equal only the columns whose token in a is marked. */
function narrowed(alignment: Alignment, within: Uint8Array): Alignment {
  return { ...alignment, same: alignment.same.map((same, c) => (within[alignment.a[c]!] ? same : 0)) };
}

const tokensOf = ({ sequences }: Trace, sequence = 0) => sequences[sequence]?.tokens.count ?? 0;

/** The columns with the largest known changes, the largest first. */
export function strongestChanges(values: Float32Array, most: number): number[] {
  return [...values.keys()]
    .filter((c) => !Number.isNaN(values[c]!) && values[c] !== 0)
    .sort((x, y) => Math.abs(values[y]!) - Math.abs(values[x]!))
    .slice(0, most);
}

interface Pair {
  /** [N of a] the same expert's index in b, −1 if b lacks it. */
  readonly toB: Int16Array;
  /** How many experts a and b have together. */
  readonly experts: number;
}

/** Matches the experts of two modules; cached by set, because many modules share one. */
function pairing() {
  const known = new Map<object, Map<object, Pair>>();
  return ({ set: a }: Rows, { set: b }: Rows) => {
    let ofA = known.get(a);
    if (!ofA) known.set(a, (ofA = new Map<object, Pair>()));
    let pair = ofA.get(b);
    if (!pair) {
      const places = new Map(b.experts.map(({ id }, e) => [id, e]));
      const toB = Int16Array.from(a.experts, ({ id }) => places.get(id) ?? -1);
      const onlyA = toB.reduce((count, e) => count + (e < 0 ? 1 : 0), 0);
      ofA.set(b, (pair = { toB, experts: b.experts.length + onlyA }));
    }
    return pair;
  };
}

class Tally {
  private readonly topKOverlap = new Mean();
  private readonly chanceTopKOverlap = new Mean();
  private readonly jaccard = new Mean();
  private readonly chanceJaccard = new Mean();
  private readonly divergence = new Mean();
  private readonly flipped = new Mean();

  add(common: number, a: number, b: number, experts: number, divergence: number): void {
    this.divergence.add(divergence);
    this.flipped.add(common < Math.max(a, b) ? 1 : 0);
    if (a === 0 && b === 0) return;
    this.topKOverlap.add(topKOverlapOf(common, a, b));
    this.chanceTopKOverlap.add(chanceTopKOverlap(a, b, experts));
    this.jaccard.add(jaccardOf(common, a, b));
    this.chanceJaccard.add(chanceJaccard(a, b, experts));
  }

  get value(): Agreement {
    return {
      topKOverlap: this.topKOverlap.value,
      chanceTopKOverlap: this.chanceTopKOverlap.value,
      jaccard: this.jaccard.value,
      chanceJaccard: this.chanceJaccard.value,
      divergence: this.divergence.value,
      flipped: this.flipped.value,
      cells: this.flipped.count,
    };
  }
}

/** In bits, 0..1. An expert that only one side has counts as 0 on the other. */
export function jensenShannon(p: Float32Array | undefined, q: Float32Array | undefined, toQ: Int16Array): number {
  if (!p || !q) return NaN;
  // Σ ½ x log₂(x / mean): for an expert that only q has, x / mean = 2, so it adds ½ x.
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

/** @param only if given, only the columns that it marks as the same */
function usageDifference(
  a: Trace,
  modulesA: SharedModules,
  b: Trace,
  modulesB: SharedModules,
  only: Alignment | undefined,
): UsageDifference {
  const tokens = (sequence: Sequence, side: Int32Array) =>
    only && side.filter((t, c) => only.same[c] === 1 && !isSpecial(sequence, t));
  const inA = sharesById(a, modulesA, only && tokens(modulesA.sequence, only.a));
  const inB = sharesById(b, modulesB, only && tokens(modulesB.sequence, only.b));
  const experts = [...modulesA.experts, ...modulesB.experts.filter(({ id }) => !inA.has(id))];
  return { experts, change: Float64Array.from(experts, ({ id }) => (inB.get(id) ?? 0) - (inA.get(id) ?? 0)) };
}

function sharesById(trace: Trace, modules: SharedModules, tokens?: Int32Array): Map<string, number> {
  const { share } = usage(trace, modules, tokens);
  return new Map(modules.experts.map(({ id }, e) => [id, share[e]!]));
}

/**
 * A lower bound of KL(a‖b) in nats between the predictions after two tokens: over the tokens that both list, with all others
 * merged into one outcome. Merging outcomes never adds divergence (log-sum inequality), so the true value is at least this.
 */
export function predictionDivergence(a: Sequence, ta: number, b: Sequence, tb: number): number {
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
  // Rounding may make a rest slightly negative; raising b's rest only lowers the bound.
  if (restA > 0) kl += restA * Math.log(restA / Math.max(restB, 1e-7));
  return Math.max(0, kl);
}
