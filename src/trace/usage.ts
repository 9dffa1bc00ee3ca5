/** How often each expert is used, how evenly, and with whom. Special tokens and those not yet routed are left out. */
import {
  isKnown,
  kindsOf,
  type Layer,
  layersOf,
  rowsAt,
  type SharedSites,
  sharedSites,
  type SiteFilter,
  textTokens,
} from './access.js';
import { sum } from '../statistics/mean.js';
import { bootstrapRatios, type BootstrapOptions, type Interval } from '../statistics/bootstrap.js';
import { measureOf } from './measure.js';
import { takingPart } from './selection.js';
import type { Trace } from './trace.js';

/** Token indexes. */
export type Indexes = Int32Array | readonly number[];

export interface Usage {
  /** [N] cells (token × site) that chose the expert. */
  readonly counts: Float64Array;
  /** [N] f_e: counts over all choices made (k a cell, fewer where fewer than k took part). */
  readonly share: Float64Array;
  /** [N] what `share` would be if every choice were drawn evenly from the experts that have a gate there: 1/E. */
  readonly chance: Float64Array;
  /** [N] share of the routing weight; absent where the source gave none. */
  readonly weightShare?: Float64Array;
  /** Tokens, cells of which the source says something, and choices counted. */
  readonly tokens: number;
  readonly cells: number;
  readonly choices: number;
}

/** @param tokens default: all of the text's */
export function usage(trace: Trace, sites: SharedSites, tokens: Indexes = textTokens(sites.sequence)): Usage {
  const n = sites.experts.length;
  const counts = new Float64Array(n);
  const chance = new Float64Array(n);
  const weights = measureOf(trace, sites.sites, 'weight') === 'weight' ? new Float64Array(n) : undefined;
  let cells = 0;
  for (const s of sites.sites) {
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

/** An interval for each expert's usage. Whole tokens are drawn: the sites of one token are not independent. */
export function usageIntervals(
  trace: Trace,
  sites: SharedSites,
  tokens: Indexes = textTokens(sites.sequence),
  options?: BootstrapOptions,
): Interval[] {
  const n = sites.experts.length;
  const counts = new Float64Array(tokens.length * n);
  const choices = new Float64Array(tokens.length);
  for (const s of sites.sites) {
    const { chosen, k } = rowsAt(trace, s);
    tokens.forEach((t, i) => {
      for (let c = t * k; c < (t + 1) * k; c++) {
        if (chosen[c]! < 0) continue;
        counts[i * n + chosen[c]!]!++;
        choices[i]!++;
      }
    });
  }
  return bootstrapRatios(counts, choices, n, options);
}

/** Below this many tokens a statistic is shown with a warning: its interval is as wide as most differences of interest. */
export const smallSample = 30;

export function isSmallSample(tokens: number): boolean {
  return tokens < smallSample;
}

/** One usage for each layer, in the order of `layersOf(trace, filter)`; undefined where a layer's own sites share no experts or tokens. */
export function usageByLayer(trace: Trace, filter: SiteFilter = {}, tokens?: Indexes): (Usage | undefined)[] {
  return layersOf(trace, filter).map((layer: Layer) => usageOf(trace, { ...filter, ...layer }, tokens));
}

/** One usage for each kind, in the order of `kindsOf(trace, filter)`; undefined where a kind's sites share no experts or tokens. */
export function usageByKind(trace: Trace, filter: SiteFilter = {}, tokens?: Indexes): (Usage | undefined)[] {
  return kindsOf(trace, filter).map((kind) => usageOf(trace, { ...filter, kind }, tokens));
}

function usageOf(trace: Trace, filter: SiteFilter, tokens?: Indexes): Usage | undefined {
  const sites = sharedSites(trace, filter);
  return sites && usage(trace, sites, tokens);
}

/** How evenly the load is spread over the experts. */
export interface Load {
  /** sd / mean of f. */
  readonly cv: number;
  readonly maxOverMean: number;
  /** H(f) / ln E. */
  readonly entropyRatio: number;
  /** exp H(f): how many evenly used experts would be as varied. */
  readonly effective: number;
  /** Experts never chosen. */
  readonly dead: readonly number[];
}

export function load(share: Float64Array): Load {
  const n = share.length;
  const mean = sum(share) / n;
  let squares = 0;
  let h = 0;
  let most = -Infinity;
  for (const f of share) {
    squares += (f - mean) ** 2;
    if (f > 0) h -= f * Math.log(f);
    if (f > most) most = f;
  }
  return {
    cv: Math.sqrt(squares / n) / mean,
    maxOverMean: most / mean,
    entropyRatio: n > 1 ? h / Math.log(n) : NaN,
    effective: mean > 0 ? Math.exp(h) : 0,
    dead: Array.from(share.keys()).filter((e) => share[e] === 0),
  };
}

/**
 * The load that as many cells would show if each chose its k of N evenly and by itself: with few cells even chance is
 * uneven. To second order in 1/cells; cells of one token are not really apart, so it is the least unevenness to expect.
 */
export function chanceLoad({
  share,
  cells,
  choices,
}: Usage): Omit<Load, 'dead' | 'maxOverMean'> & { readonly dead: number } {
  const n = share.length;
  const k = choices / cells;
  const variance = (n - k) / (k * cells);
  const entropyRatio = Math.max(0, 1 - variance / (2 * Math.log(n)));
  return { cv: Math.sqrt(variance), entropyRatio, effective: n ** entropyRatio, dead: n * (1 - k / n) ** cells };
}

export interface Coactivation {
  /** [N, N] N_ab / N_a: of the cells that chose a, the share that also chose b; row a. NaN where a was never chosen. */
  readonly share: Float64Array;
  /** [N, N] N_ab; the diagonal is N_a. */
  readonly counts: Float64Array;
  /** What `share` would be if b were drawn evenly from the others: (k − 1) / (E − 1). */
  readonly chance: number;
}

/** Over all pairs in S_t, not only neighbours in rank. */
export function coactivation(
  trace: Trace,
  sites: SharedSites,
  tokens: Indexes = textTokens(sites.sequence),
): Coactivation {
  const n = sites.experts.length;
  const counts = new Float64Array(n * n);
  let cells = 0;
  let choices = 0;
  for (const s of sites.sites) {
    const rows = rowsAt(trace, s);
    const { chosen, k } = rows;
    for (const t of tokens) {
      if (!isKnown(rows, t)) continue;
      cells++;
      const end = (t + 1) * k;
      for (let a = t * k; a < end; a++) {
        if (chosen[a]! < 0) continue;
        choices++;
        for (let b = t * k; b < end; b++) if (chosen[b]! >= 0) counts[chosen[a]! * n + chosen[b]!]!++;
      }
    }
  }
  return {
    share: counts.map((count, i) => count / counts[Math.floor(i / n) * (n + 1)]!),
    counts,
    chance: (choices / cells - 1) / (n - 1),
  };
}

function over(values: Float64Array, total: number): Float64Array {
  return total > 0 ? values.map((x) => x / total) : new Float64Array(values.length);
}
