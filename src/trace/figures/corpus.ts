/** How a text's use of experts differs from that of a corpus. */
import type { Interval } from '../../statistics/bootstrap.js';
import { isSmallSample, type Usage } from './usage.js';

/** What an atlas says of an expert: its share of the corpus's choices, and the interval of that; null if it is not known. */
export interface CorpusLoad {
  readonly load: number;
  readonly low: number | null;
  readonly high: number | null;
}

export interface BesideCorpus {
  readonly expert: number;
  /** Of the text's choices, with what that many tokens leave open. */
  readonly share: number;
  readonly interval: Interval;
  readonly corpus: CorpusLoad;
  /** Share ÷ load; Infinity if the corpus never chose it, NaN if the text did not either. */
  readonly times: number;
  /** The two intervals are apart, so tokens drawn by chance are not the reason; undefined if they are not, or if it cannot be said. */
  readonly apart: 'more' | 'fewer' | undefined;
}

/**
 * By how far share and load are from each other, those with their intervals apart first.
 * @param intervals of the text's shares, by resampling its tokens
 * @param loads [N] undefined for an expert that the atlas does not have
 */
export function besideCorpus(
  { share, tokens }: Usage,
  intervals: readonly Interval[],
  loads: readonly (CorpusLoad | undefined)[],
): BesideCorpus[] {
  const found = loads.flatMap((corpus, expert): BesideCorpus[] => {
    if (!corpus) return [];
    const own = share[expert]!;
    const interval = intervals[expert]!;
    const apart = isSmallSample(tokens) ? undefined : apartFrom(interval, corpus);
    return [{ expert, share: own, interval, corpus, times: own / corpus.load, apart }];
  });
  const distance = ({ share: own, corpus }: BesideCorpus) => Math.abs(own - corpus.load);
  return found.sort(
    (a, b) => Number(b.apart !== undefined) - Number(a.apart !== undefined) || distance(b) - distance(a),
  );
}

function apartFrom({ low, high }: Interval, corpus: CorpusLoad): BesideCorpus['apart'] {
  if (corpus.low === null || corpus.high === null) return undefined;
  return low > corpus.high ? 'more' : high < corpus.low ? 'fewer' : undefined;
}
