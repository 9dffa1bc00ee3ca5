/** How a change of routing affects a text's predictions. */
import type { Difference } from '../../../src/trace/figures/difference.js';
import { alignedMeans } from '../../../src/trace/figures/logProbs.js';
import type { Sequence } from '../../../src/trace/model/trace.js';
import { ends, t } from '../../look/strings.js';

interface Runs {
  readonly from: Sequence | undefined;
  readonly to: Sequence | undefined;
  readonly found: Difference;
}

/** The mean log-probability before and after, and whether that is better. */
export function LogProb({ from: before, to: after, found }: Runs) {
  const { from, to, tokens } =
    before && after ? alignedMeans(before, after, found.alignment) : { from: NaN, to: NaN, tokens: 0 };
  // A difference too small to be written counts as none.
  const verdict = Math.abs(to - from) < 0.0005 ? 'compareAlike' : to < from ? 'compareWorse' : 'compareBetter';
  return (
    <>
      <dt>{t('compareLogProb')}</dt>
      {tokens === 0 ? (
        <dd>–</dd>
      ) : (
        <dd>
          {t('compareFromTo', ...ends({ weak: from, strong: to }), t(verdict))}
          <span class="faint"> {t('compareOver', tokens)}</span>
        </dd>
      )}
    </>
  );
}
