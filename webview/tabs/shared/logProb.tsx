/** How a change of routing affects a text's predictions. */
import type { Difference } from '../../../src/trace/figures/difference.js';
import { alignedMeans, type AlignedMeans } from '../../../src/trace/figures/logProbs.js';
import { isSpecial } from '../../../src/trace/model/access.js';
import type { Sequence } from '../../../src/trace/model/trace.js';
import { ends, fixed, percent, t } from '../../look/strings.js';

interface Runs {
  /** Which run's text became likelier. */
  readonly title: string;
  readonly from: Sequence | undefined;
  readonly to: Sequence | undefined;
  readonly found: Difference;
}

/** How much likelier the text became, in plain words and then in nats. */
export function LogProb({ title, from: before, to: after, found }: Runs) {
  const means = before && after && alignedMeans(before, after, found.alignment);
  return (
    <>
      <dt>{title}</dt>
      {!means?.tokens ? (
        <dd>–</dd>
      ) : (
        <dd>
          {likelier(means.to - means.from)}
          <span class="faint">
            {' '}
            {t('compareFromTo', ...ends({ weak: means.from, strong: means.to }))} {overWords(means, before!)}
          </span>
        </dd>
      )}
    </>
  );
}

/** Over how many tokens, and why these are fewer than both have. */
function overWords({ tokens, uncounted }: AlignedMeans, before: Sequence): string {
  if (uncounted.length === 0) return t('compareOver', tokens);
  if (uncounted.some((token) => token > 0)) return t('compareOverPredicted', tokens);
  return t(isSpecial(before, 0) ? 'compareOverFirst' : 'compareOverFirstText', tokens);
}

/** @param nats mean change of a token's log-probability */
function likelier(nats: number): string {
  // A difference too small to be written counts as none.
  if (Math.abs(nats) < 0.0005) return t('compareAlike');
  const ratio = Math.exp(nats);
  if (ratio >= 2) return t('compareTimes', fixed(ratio, 1));
  return t(ratio > 1 ? 'compareLikelier' : 'compareLessLikely', percent(Math.abs(ratio - 1)));
}
