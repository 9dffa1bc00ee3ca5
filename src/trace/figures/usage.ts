/** How often each expert is used, how evenly, and together with which others. Special tokens and those not yet routed are left out. */
import {
  isKnown,
  type Layer,
  layersOf,
  rowsAt,
  type SharedModules,
  sharedModules,
  type ModuleFilter,
  textTokens,
} from '../model/access.js';
import { sum } from '../../statistics/mean.js';
import { bootstrapRatios, type BootstrapOptions, type Interval, type Units } from '../../statistics/bootstrap.js';
import { type Coactivation, Pairs } from '../../statistics/pairs.js';
import { measureOf } from './measure.js';
import { takingPart } from '../model/selection.js';
import type { Trace } from '../model/trace.js';

/** Token indexes. */
export type Indexes = Int32Array | readonly number[];

export interface Usage {
  /** [N] cells (token × module) that chose the expert. */
  readonly counts: Float64Array;
  /** [N] f_e: counts ÷ all choices made (k per cell, or fewer if fewer experts took part). */
  readonly share: Float64Array;
  /** [N] what `share` would be for even draws from the experts that have a gate at each module: 1/E. */
  readonly chance: Float64Array;
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
  const chance = new Float64Array(n);
  const weights = measureOf(trace, modules.modules, 'weight') === 'weight' ? new Float64Array(n) : undefined;
  let cells = 0;
  for (const s of modules.modules) {
    const rows = rowsAt(trace, s);
    const { chosen, k, weight } = rows;
    let choices = 0;
    for (const t of tokens) {
      if (!isKnown(rows, t)) continue;
      cells++;
      for (let i = t * k; i < (t + 1) * k; i++) {
        const e = chosen[i]!;
        if (e < 0) continue;
        counts[e]!++;
        if (weights) weights[e]! += weight![i]!;
        choices++;
      }
    }
    const part = takingPart(rows);
    const E = sum(part);
    for (let e = 0; e < n; e++) if (part[e]) chance[e]! += choices / E;
  }
  const choices = sum(counts);
  return {
    counts,
    share: over(counts, choices),
    chance: over(chance, choices),
    ...(weights && { weightShare: over(weights, sum(weights)) }),
    tokens: tokens.length,
    cells,
    choices,
  };
}

/** An interval for each expert's usage. Whole tokens are resampled: the modules of one token are not independent. */
export function usageIntervals(
  trace: Trace,
  modules: SharedModules,
  tokens: Indexes = textTokens(modules.sequence),
  options?: BootstrapOptions,
): Interval[] {
  const { parts, wholes } = choicesByToken(trace, modules, tokens);
  return bootstrapRatios(parts, wholes, modules.experts.length, options);
}

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
  for (const s of modules.modules) {
    const rows = rowsAt(trace, s);
    for (const t of tokens) if (isKnown(rows, t)) pairs.add(rows.chosen, t * rows.k, (t + 1) * rows.k);
  }
  return pairs;
}

export function coactivation(trace: Trace, modules: SharedModules, tokens?: Indexes): Coactivation {
  return pairsIn(trace, modules, tokens).value;
}

function over(values: Float64Array, total: number): Float64Array {
  return total > 0 ? values.map((x) => x / total) : new Float64Array(values.length);
}
