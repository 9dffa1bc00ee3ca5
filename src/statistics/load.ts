/** How evenly a load is spread over experts. */
import { sum } from './mean.js';

/** Figures of f_e, each expert's share of the choices. */
export interface Load {
  /** E: how many experts could be chosen at all. */
  readonly experts: number;
  /** sd / mean of f: 0 if even, √(E − 1) if one has all. Its square is the importance loss of Shazeer et al. (2017, arXiv 1701.06538). */
  readonly cv: number;
  /** max / mean of f − 1 (Wang et al. 2024, arXiv 2408.15664): 0 if even, E − 1 if one has all. */
  readonly maxVio: number;
  /** H(f) / ln E, Pielou's evenness: 1 if even, 0 if one expert has all. */
  readonly entropyRatio: number;
  /** exp H(f), Hill's number of order 1 (1973, Ecology 54): how many evenly used experts would be as varied. */
  readonly effective: number;
  /** Experts never chosen. */
  readonly dead: readonly number[];
}

/** @param chance [N] 0 for an expert that could not be chosen, which says nothing about how even the load is; default: all could */
export function load(all: Float64Array, chance?: Float64Array): Load {
  const open = openOf(all.length, chance);
  const share = open.map((e) => all[e]!);
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
    experts: n,
    cv: Math.sqrt(squares / n) / mean,
    maxVio: most / mean - 1,
    entropyRatio: n > 1 ? h / Math.log(n) : NaN,
    effective: mean > 0 ? Math.exp(h) : 0,
    dead: open.filter((e) => all[e] === 0),
  };
}

function openOf(n: number, chance: Float64Array | undefined): number[] {
  const all = Array.from({ length: n }, (_, e) => e);
  // Where nothing is chosen yet, chance is 0 for everyone.
  return chance?.some((x) => x > 0) ? all.filter((e) => chance[e]! > 0) : all;
}

export type ChanceLoad = Omit<Load, 'dead' | 'maxVio' | 'experts'> & { readonly dead: number };

/**
 * The load that as many cells would show if each chose its k of N evenly and independently: with few cells, even chance is
 * uneven. To second order in 1/cells (Miller 1955: entropy from counts is too low by about (N − 1) / 2n). The cells of one
 * token are not really independent, so this is a lower bound of the unevenness to expect.
 */
export function chanceLoad({
  share,
  cells,
  choices,
}: {
  readonly share: Float64Array;
  readonly cells: number;
  readonly choices: number;
}): ChanceLoad {
  const n = share.length;
  const k = choices / cells;
  const variance = (n - k) / (k * cells);
  const entropyRatio = Math.max(0, 1 - variance / (2 * Math.log(n)));
  return { cv: Math.sqrt(variance), entropyRatio, effective: n ** entropyRatio, dead: n * (1 - k / n) ** cells };
}

/** Even and independent draws at each cell from the experts that can be chosen there. */
export interface EvenDraws {
  /** [N] expected share of the choices. */
  readonly chance: Float64Array;
  /** [N] variance of that share. */
  readonly variance: Float64Array;
  /** [N] probability that no cell draws the expert. */
  readonly never: Float64Array;
}

/**
 * The same as `chanceLoad` where the experts that can be chosen differ from cell to cell, as with one knocked out in a layer:
 * CV² = E Σ (p² + var) − 1, and H(p) − Σ var / 2p, to second order too.
 */
export function chanceLoadOf({ chance, variance, never }: EvenDraws): ChanceLoad {
  const open = openOf(chance.length, chance);
  const n = open.length;
  let squares = 0;
  let h = 0;
  let dead = 0;
  for (const e of open) {
    const p = chance[e]!;
    squares += p ** 2 + variance[e]!;
    h -= p * Math.log(p) + variance[e]! / (2 * p);
    dead += never[e]!;
  }
  const entropyRatio = Math.max(0, h / Math.log(n));
  return { cv: Math.sqrt(Math.max(0, n * squares - 1)), entropyRatio, effective: n ** entropyRatio, dead };
}
