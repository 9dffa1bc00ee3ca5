/** How evenly a load is spread over experts. */
import { sum } from './mean.js';

/** Figures of f_e, each expert's share of the choices. */
export interface Load {
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
    maxVio: most / mean - 1,
    entropyRatio: n > 1 ? h / Math.log(n) : NaN,
    effective: mean > 0 ? Math.exp(h) : 0,
    dead: Array.from(share.keys()).filter((e) => share[e] === 0),
  };
}

export type ChanceLoad = Omit<Load, 'dead' | 'maxVio'> & { readonly dead: number };

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
