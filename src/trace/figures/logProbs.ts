import { Mean } from '../../statistics/mean.js';
import { isSpecial } from '../model/access.js';
import type { Alignment } from '../alignment/align.js';
import type { Sequence } from '../model/trace.js';

/** In nats per token; NaN if no token is in both. */
export interface AlignedMeans {
  readonly from: number;
  readonly to: number;
  readonly tokens: number;
  /** Those of the first run that are in both and yet not counted: special, or not predicted in both. */
  readonly uncounted: readonly number[];
}

/** Mean log-probabilities of two runs over the text tokens that both have; the others have nothing to be compared with. */
export function alignedMeans(from: Sequence, to: Sequence, { a, b, same }: Alignment): AlignedMeans {
  const [here, there] = [new Mean(), new Mean()];
  const uncounted: number[] = [];
  same.forEach((isSame, c) => {
    if (!isSame) return;
    const [one, other] = [from.logProb?.[a[c]!] ?? NaN, to.logProb?.[b[c]!] ?? NaN];
    if (isSpecial(from, a[c]!) || Number.isNaN(one) || Number.isNaN(other)) {
      uncounted.push(a[c]!);
      return;
    }
    here.add(one);
    there.add(other);
  });
  return { from: here.value, to: there.value, tokens: here.count, uncounted };
}
