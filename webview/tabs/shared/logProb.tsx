/** How a change of routing affects a text's predictions. */
import type { Difference } from '../../../src/trace/figures/difference.js';
import { alignedMeans } from '../../../src/trace/figures/logProbs.js';
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
  const { from, to, tokens } =
    before && after ? alignedMeans(before, after, found.alignment) : { from: NaN, to: NaN, tokens: 0 };
  return (
    <>
      <dt>{title}</dt>
      {tokens === 0 ? (
        <dd>–</dd>
      ) : (
        <dd>
          {likelier(to - from)}
          <span class="faint">
            {' '}
            {t('compareFromTo', ...ends({ weak: from, strong: to }))} {t('compareOver', tokens)}
          </span>
        </dd>
      )}
    </>
  );
}

/** @param nats mean change of a token's log-probability */
function likelier(nats: number): string {
  // A difference too small to be written counts as none.
  if (Math.abs(nats) < 0.0005) return t('compareAlike');
  const ratio = Math.exp(nats);
  if (ratio >= 2) return t('compareTimes', fixed(ratio, 1));
  return t(ratio > 1 ? 'compareLikelier' : 'compareLessLikely', percent(Math.abs(ratio - 1)));
}
