/** How often each expert is used, how evenly, and with whom. Special tokens and those not yet routed are left out. */
import { chosenOffset, kindsOf, layersOf, type ModuleFilter, modulesOf, takesPart, textTokens } from './access.js';
import type { Trace } from './trace.js';

/** Token indexes. */
export type Indexes = Int32Array | readonly number[];

/** What a statistic is about: some modules, and some tokens (default: all of the text's). */
export interface View extends ModuleFilter {
  readonly tokens?: Indexes | undefined;
}

export interface Usage {
  /** [N] cells (token × module) that chose the expert. */
  readonly counts: Float64Array;
  /** [N] f_e: counts over all choices made (N k of them, fewer where fewer than k took part). */
  readonly share: Float64Array;
  /** [N] what `share` would be if every choice were drawn evenly from the experts that have a gate there: 1/E. */
  readonly chance: Float64Array;
  /** [N] share of the routing weight. */
  readonly weightShare: Float64Array;
  /** Tokens, cells and choices counted. */
  readonly tokens: number;
  readonly cells: number;
  readonly choices: number;
}

export function usage(trace: Trace, view: View = {}): Usage {
  const n = trace.experts.length;
  const tokens = view.tokens ?? textTokens(trace);
  const modules = modulesOf(trace, view);
  const counts = new Float64Array(n);
  const weights = new Float64Array(n);
  const chance = new Float64Array(n);
  for (const m of modules) {
    let choices = 0;
    for (const t of tokens) {
      const at = chosenOffset(trace, m, t);
      for (let c = at; c < at + trace.k; c++) {
        const e = trace.chosen[c]!;
        if (e < 0) continue;
        counts[e]!++;
        weights[e]! += trace.weight[c]!;
        choices++;
      }
    }
    const present = trace.experts.map((_, e) => takesPart(trace, m, e));
    const E = present.filter(Boolean).length;
    for (let e = 0; e < n; e++) if (present[e]) chance[e]! += choices / E;
  }
  const choices = sum(counts);
  return {
    counts,
    share: over(counts, choices),
    chance: over(chance, choices),
    weightShare: over(weights, sum(weights)),
    tokens: tokens.length,
    cells: tokens.length * modules.length,
    choices,
  };
}

/** One usage for each layer, in the order of `layersOf`. */
export function usageByLayer(trace: Trace, view: View = {}): Usage[] {
  return layersOf(trace).map((layer) => usage(trace, { ...view, layer }));
}

/** One usage for each kind, in the order of `kindsOf`. */
export function usageByKind(trace: Trace, view: View = {}): Usage[] {
  return kindsOf(trace).map((kind) => usage(trace, { ...view, kind }));
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
  for (const f of share) {
    squares += (f - mean) ** 2;
    if (f > 0) h -= f * Math.log(f);
  }
  return {
    cv: Math.sqrt(squares / n) / mean,
    maxOverMean: Math.max(...share) / mean,
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
export function coactivation(trace: Trace, view: View = {}): Coactivation {
  const n = trace.experts.length;
  const tokens = view.tokens ?? textTokens(trace);
  const counts = new Float64Array(n * n);
  let cells = 0;
  let choices = 0;
  for (const m of modulesOf(trace, view)) {
    for (const t of tokens) {
      const at = chosenOffset(trace, m, t);
      cells++;
      for (let a = at; a < at + trace.k; a++) {
        if (trace.chosen[a]! < 0) continue;
        choices++;
        for (let b = at; b < at + trace.k; b++) {
          if (trace.chosen[b]! >= 0) counts[trace.chosen[a]! * n + trace.chosen[b]!]!++;
        }
      }
    }
  }
  return {
    share: counts.map((count, i) => count / counts[Math.floor(i / n) * (n + 1)]!),
    counts,
    chance: (choices / cells - 1) / (n - 1),
  };
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const x of values) total += x;
  return total;
}

function over(values: Float64Array, total: number): Float64Array {
  return total > 0 ? values.map((x) => x / total) : new Float64Array(values.length);
}
