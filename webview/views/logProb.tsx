/** What a change of routing does to the predictions of a text. */
import { Mean } from '../../src/statistics/mean.js';
import type { Difference } from '../../src/trace/difference.js';
import type { Sequence } from '../../src/trace/trace.js';
import { ends, t } from '../look/strings.js';

interface Runs {
  readonly from: Sequence | undefined;
  readonly to: Sequence | undefined;
  readonly found: Difference;
}

interface Means {
  readonly from: number;
  readonly to: number;
  readonly tokens: number;
}

/** Mean log-probabilities of a token, of those alone that both runs have: others would be compared with nothing. */
function alignedMeans({ from, to, found: { alignment, logProb } }: Runs): Means {
  const [here, there] = [new Mean(), new Mean()];
  logProb.forEach((change, c) => {
    if (Number.isNaN(change)) return;
    here.add(from!.logProb![alignment.a[c]!]!);
    there.add(to!.logProb![alignment.b[c]!]!);
  });
  return { from: here.value, to: there.value, tokens: here.count };
}

/** From where to where, and whether that is better. */
export function LogProb(runs: Runs) {
  const { from, to, tokens } = alignedMeans(runs);
  // What would be written as no difference is none.
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
