/** How often each expert is used, how evenly, and together with which others. Special tokens and those not yet routed are left out. */
import {
  isKnown,
  type Layer,
  layersOf,
  type Rows,
  rowsAt,
  type SharedModules,
  sharedModules,
  type ModuleFilter,
  textTokens,
} from '../model/access.js';
import { type EvenDraws } from '../../statistics/load.js';
import { sum } from '../../statistics/mean.js';
import { bootstrapRatios, type BootstrapOptions, type Interval, type Units } from '../../statistics/bootstrap.js';
import { type Coactivation, Pairs } from '../../statistics/pairs.js';
import { measureOf } from './measure.js';
import { Open, type OpenSet, oddsOf } from './open.js';
import { isChosenOnce } from '../model/fixed.js';
import type { Router, Trace } from '../model/trace.js';
import { isKnockedOut } from '../model/whatIf.js';

/** Token indexes. */
export type Indexes = Int32Array | readonly number[];

/**
 * Chance: even draws from the E experts that have a gate at a module and are not knocked out at the cell: 1/E of its choices. Where
 * the whole text makes one choice, there is one draw.
 */
export interface Usage extends EvenDraws {
  /** [N] cells (token × module) that chose the expert. */
  readonly counts: Float64Array;
  /** [N] f_e: counts ÷ all choices made (k per cell, or fewer if fewer experts took part). */
  readonly share: Float64Array;
  /** [N] share of the routing weight; absent if the source gave none. */
  readonly weightShare?: Float64Array;
  /** How many tokens, cells that the source says something about, and choices were counted. */
  readonly tokens: number;
  readonly cells: number;
  readonly choices: number;
}

/** @param tokens default: all text tokens */
export function usage(trace: Trace, modules: SharedModules, tokens: Indexes = textTokens(modules.sequence)): Usage {
  const n = modules.experts.length;
  const counts = new Float64Array(n);
  const draws = new Draws(n, trace.router);
  const weights = measureOf(trace, modules.modules, 'weight') === 'weight' ? new Float64Array(n) : undefined;
  let cells = 0;
  for (const s of modules.modules) {
    const rows = rowsAt(trace, s);
    const { chosen, k, weight } = rows;
    draws.enter(rows);
    for (const t of tokens) {
      if (!isKnown(rows, t)) continue;
      cells++;
      let choices = 0;
      for (let i = t * k; i < (t + 1) * k; i++) {
        const e = chosen[i]!;
        if (e < 0) continue;
        counts[e]!++;
        if (weights) weights[e]! += weight![i]!;
        choices++;
      }
      draws.add(t, choices);
    }
  }
  const choices = sum(counts);
  return {
    counts,
    share: over(counts, choices),
    ...draws.over(choices),
    ...(weights && { weightShare: over(weights, sum(weights)) }),
    tokens: tokens.length,
    cells,
    choices,
  };
}

/**
 * An interval for each expert's usage. Whole tokens are resampled: the modules of one token are not independent. NaN where tokens
 * are no sample of anything (`isSampled`).
 */
export function usageIntervals(
  trace: Trace,
  modules: SharedModules,
  tokens: Indexes = textTokens(modules.sequence),
  options?: BootstrapOptions,
): Interval[] {
  const { parts, wholes } = choicesByToken(trace, modules, tokens);
  const drawn = bootstrapRatios(parts, wholes, modules.experts.length, options);
  return openIntervals(trace, usage(trace, modules, tokens), drawn);
}

/**
 * Whether other tokens might have given an expert another share: not if it could not be chosen, or was certain to be, and not if the
 * whole text made one choice.
 */
export function isSampled({ router }: Trace, { variance }: Usage, e: number): boolean {
  return variance[e]! > 0 && !isChosenOnce(router);
}

/** Of a share that is not sampled. */
export const noInterval: Interval = { low: NaN, high: NaN };

/**
 * Resampling tokens that never chose an expert would always give 0. Instead, the largest share with which, once in 40, none of so
 * many tokens would choose it (Clopper & Pearson 1934).
 */
export function openIntervals(trace: Trace, own: Usage, drawn: readonly Interval[]): Interval[] {
  return drawn.map((found, e) => {
    if (!isSampled(trace, own, e)) return noInterval;
    return own.counts[e]! > 0 ? found : { low: 0, high: 1 - 0.025 ** (1 / own.tokens) };
  });
}

/** Sums up what even draws would give: cells that draw as many from the same experts are alike. */
class Draws {
  readonly #open = new Open();
  /** By how many are drawn. */
  readonly #cells = new Map<OpenSet, number[]>();
  readonly #count = (from: OpenSet, choices: number) => {
    let own = this.#cells.get(from);
    if (!own) this.#cells.set(from, (own = []));
    own[choices] = (own[choices] ?? 0) + 1;
  };

  constructor(
    private readonly n: number,
    private readonly router: Router,
  ) {}

  enter(rows: Rows): void {
    this.#open.enter(rows, this.router);
  }

  /** @param choices how many were made at the cell */
  add(t: number, choices: number): void {
    this.#open.draws(t, choices, this.#count);
  }

  over(choices: number): EvenDraws {
    const [expected, variance, never] = [0, 1, 2].map(() => new Float64Array(this.n)) as [Floats, Floats, Floats];
    for (const [from, cellsBy] of this.#cells) {
      cellsBy.forEach((cells, drawn) => {
        const q = oddsOf(from, drawn);
        for (let e = 0; e < this.n; e++) {
          if (!from.has[e]) continue;
          expected[e]! += cells * q;
          variance[e]! += cells * q * (1 - q);
          never[e]! += cells * Math.log1p(-q);
        }
      });
    }
    const chance = over(expected, choices);
    return isChosenOnce(this.router)
      ? { chance, variance: chance.map((p) => p * (1 - p)), never: chance.map((p) => 1 - p) }
      : { chance, variance: over(variance, choices ** 2), never: never.map(Math.exp) };
  }
}

type Floats = Float64Array<ArrayBuffer>;

/** How often each token chose each expert, and how often it chose at all. */
export function choicesByToken(trace: Trace, modules: SharedModules, tokens: Indexes): Units {
  const n = modules.experts.length;
  const counts = new Float64Array(tokens.length * n);
  const choices = new Float64Array(tokens.length);
  for (const s of modules.modules) {
    const { chosen, k } = rowsAt(trace, s);
    tokens.forEach((t, i) => {
      for (let c = t * k; c < (t + 1) * k; c++) {
        if (chosen[c]! < 0) continue;
        counts[i * n + chosen[c]!]!++;
        choices[i]!++;
      }
    });
  }
  return { parts: counts, wholes: choices };
}

/** [N] whether an expert is knocked out at all cells, or at some. */
export function knockedOut(
  trace: Trace,
  { modules, experts }: SharedModules,
  { chance, choices }: Usage,
): ('all' | 'part' | undefined)[] {
  return experts.map(({ id }, e) => {
    if (!isKnockedOut(trace, modules, id)) return undefined;
    return choices > 0 && chance[e] === 0 ? 'all' : 'part';
  });
}

/** With fewer tokens, a statistic is shown with a warning: its interval is as wide as most differences of interest. */
export const smallSample = 30;

export function isSmallSample(tokens: number): boolean {
  return tokens < smallSample;
}

/** One usage for each layer, in the order of `layersOf(trace, filter)`; undefined if the layer's modules differ in experts or tokens. */
export function usageByLayer(trace: Trace, filter: ModuleFilter = {}, tokens?: Indexes): (Usage | undefined)[] {
  return layersOf(trace, filter).map((layer: Layer) => usageOf(trace, { ...filter, ...layer }, tokens));
}

function usageOf(trace: Trace, filter: ModuleFilter, tokens?: Indexes): Usage | undefined {
  const modules = sharedModules(trace, filter);
  return modules && usage(trace, modules, tokens);
}

/** All pairs in S_t, not only neighbours in rank. */
export function pairsIn(trace: Trace, modules: SharedModules, tokens: Indexes = textTokens(modules.sequence)): Pairs {
  const pairs = new Pairs(modules.experts.length);
  const open = new Open();
  for (const s of modules.modules) {
    const rows = rowsAt(trace, s);
    open.enter(rows, trace.router);
    for (const t of tokens) if (isKnown(rows, t)) pairs.add(rows.chosen, t * rows.k, (t + 1) * rows.k, open.at(t).has);
  }
  return pairs;
}

export function coactivation(trace: Trace, modules: SharedModules, tokens?: Indexes): Coactivation {
  return pairsIn(trace, modules, tokens).value;
}

function over(values: Float64Array, total: number): Float64Array {
  return total > 0 ? values.map((x) => x / total) : new Float64Array(values.length);
}
