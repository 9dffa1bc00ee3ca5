/** How the choices of two runs differ, token by token, for page and editor alike. */
import { topKOverlapOf, shared } from '../../statistics/sets.js';
import { chosenCount, isKnown, type Rows, rowsAt, modulesOf } from '../model/access.js';
import type { Alignment } from './align.js';
import type { ExpertSet, Trace } from '../model/trace.js';

/** For each token of a sequence, the token of the other run that it is aligned with; −1: none. */
export interface Beside {
  readonly of: Int32Array;
}

/** 1 − |S ∩ S'| ÷ k; 0 if neither chose any. @param toB for each of a's experts its index in b; default: the same */
export function disagreement(a: Rows, ta: number, b: Rows, tb: number, toB?: Int16Array): number {
  const common = shared(a.chosen, ta * a.k, a.k, b.chosen, tb * b.k, b.k, toB);
  const same = topKOverlapOf(common, chosenCount(a, ta), chosenCount(b, tb));
  return Number.isNaN(same) ? 0 : 1 - same;
}

/** Pairs of the modules that both runs have. */
export class ChoicePairs {
  readonly #there: ReadonlyMap<string, number>;

  constructor(
    private readonly main: Trace,
    private readonly other: Trace,
  ) {
    this.#there = new Map(other.modules.map(({ path }, s) => [path, s]));
  }

  /**
   * [T] for each token, the mean over some modules of the share of its choices that the other run did not make at the aligned
   * token; NaN if no token is aligned with it, or if the choices are unknown.
   */
  shares(modules: Int32Array, sequence: number, { of }: Beside): Float32Array {
    const pairs = Array.from(modules, (s) => {
      const at = this.#there.get(this.main.modules[s]!.path);
      return at === undefined ? undefined : pairOf(rowsAt(this.main, s), rowsAt(this.other, at));
    }).filter((pair) => pair !== undefined);
    const doneThere = this.other.sequences[sequence]?.done ?? 0;
    const { tokens, done } = this.main.sequences[sequence]!;
    return Float32Array.from({ length: tokens.count }, (_, t) => {
      const u = t < done ? of[t]! : -1;
      if (u < 0 || u >= doneThere) return NaN;
      let sum = 0;
      let n = 0;
      for (const { a, b, toB } of pairs) {
        if (!isKnown(a, t) || !isKnown(b, u)) continue;
        sum += disagreement(a, t, b, u, toB);
        n++;
      }
      return n > 0 ? sum / n : NaN;
    });
  }
}

/**
 * Whether choices of two runs can agree at all: in some module that both have, they choose among experts of which one is in both.
 * Experts of a layer are known by their numbers alone, which say something only if there are as many.
 */
export function haveChoicesInCommon(main: Trace, other: Trace): boolean {
  const there = new Map(other.modules.map(({ path, expertSet }) => [path, other.expertSets[expertSet]!]));
  const known = new Map<ExpertSet, Map<ExpertSet, boolean>>();
  return main.modules.some(({ path, expertSet }) => {
    const [a, b] = [main.expertSets[expertSet]!, there.get(path)];
    if (!b) return false;
    const ofA = known.get(a) ?? new Map<ExpertSet, boolean>();
    known.set(a, ofA);
    const found = ofA.get(b) ?? haveExpertsInCommon(a, b);
    ofA.set(b, found);
    return found;
  });
}

function haveExpertsInCommon(a: ExpertSet, b: ExpertSet): boolean {
  if ((a.scope === 'layer' || b.scope === 'layer') && a.experts.length !== b.experts.length) return false;
  const ids = new Set(b.experts.map(({ id }) => id));
  return a.experts.some(({ id }) => ids.has(id));
}

function pairOf(a: Rows, b: Rows): { a: Rows; b: Rows; toB: Int16Array } {
  const at = new Map(b.set.experts.map(({ id }, e) => [id, e]));
  return { a, b, toB: Int16Array.from(a.set.experts, ({ id }) => at.get(id) ?? -1) };
}

/** How much each token of a sequence changed. */
export interface Change {
  /** What is compared: `choices`, the share that differs; `logProb`, the other run's log-probability − this one's, in nats. */
  readonly by: 'choices' | 'logProb';
  /** [T] NaN if unknown. */
  readonly value: Float32Array;
  /** The value of the strongest colour; below 0, of the other hue's. */
  readonly most: number;
  /** Whether values of any sequence are past −most, and past most: these look like those at it. */
  readonly isPast: readonly [boolean, boolean];
}

/** One change for each sequence, over all modules that its tokens pass through. */
export function choiceChanges(main: Trace, other: Trace, partners: readonly Beside[]): readonly Change[] {
  const pairs = new ChoicePairs(main, other);
  return partners.map((one, sequence) => ({
    by: 'choices',
    value: pairs.shares(modulesOf(main, { sequence }), sequence, one),
    most: 1,
    isPast: [false, false],
  }));
}

/** How much likelier the other run finds the same token. One for each sequence, all on one scale. */
export function logProbChanges(
  main: Trace,
  other: Trace,
  partners: readonly { readonly alignment: Alignment }[],
): readonly Change[] {
  const values = partners.map(({ alignment: { a, b, same } }, sequence) => {
    const [here, there] = [main.sequences[sequence], other.sequences[sequence]];
    const value = new Float32Array(here?.tokens.count ?? 0).fill(NaN);
    for (let c = 0; c < same.length; c++)
      if (same[c]) value[a[c]!] = (there?.logProb?.[b[c]!] ?? NaN) - (here?.logProb?.[a[c]!] ?? NaN);
    return value;
  });
  const all = Float32Array.from(values.flatMap((value) => [...value]));
  const most = usualSize(all);
  // Differences that are alike but for rounding are not cut off.
  const past = 1.001 * most;
  const isPast = [all.some((x) => x < -past), all.some((x) => x > past)] as const;
  return values.map((value) => ({ by: 'logProb', value, most, isPast }));
}

/** The largest but one in twenty: a single outlier must not pale all others. */
export function usualSize(values: Float32Array): number {
  const sizes = values
    .filter((x) => !Number.isNaN(x))
    .map(Math.abs)
    .sort();
  return Math.max(1e-6, sizes[Math.floor((sizes.length - 1) * 0.95)] ?? 1);
}
