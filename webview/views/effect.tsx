/** What a what-if changed. */
import { meanOf, sum } from '../../src/statistics/mean.js';
import type { Difference } from '../../src/trace/difference.js';
import type { Trace } from '../../src/trace/trace.js';
import { useStore } from '../components/context.js';
import { Figure } from '../components/figure.js';
import { Lines } from '../components/lines.js';
import { rowsOf } from '../components/table.js';
import { percent, signed, small, t } from '../look/strings.js';

export function Effect({ trace }: { readonly trace: Trace }) {
  const store = useStore();
  const { before, interventions, isRunning } = store.main;
  if (interventions.value.length === 0) return null;
  const found =
    before.value && !isRunning.value
      ? store.work.differences(before.value, trace)?.[store.view.selection.value.sequence]
      : undefined;
  const isSame = found?.all.flipped === 0;
  return (
    <section class="figure">
      <h3>{t('effect')}</h3>
      {!found && <p class="hint">{t('effectWaiting')}</p>}
      {isSame && <p class="hint">{t('effectNone')}</p>}
      {found && !isSame && <EffectNumbers found={found} tokens={trace.sequences[0]!.tokens.count} />}
    </section>
  );
}

function EffectNumbers({ found, tokens }: { readonly found: Difference; readonly tokens: number }) {
  const { all, byLayer, layers, logProb, predictions } = found;
  const first = layers.find((_, i) => byLayer[i]!.flipped > 0);
  const isKnown = logProb.some((x) => !Number.isNaN(x));
  const change = sum(logProb.filter((x) => !Number.isNaN(x)));
  const kl = meanOf(predictions);
  const shares = byLayer.map(({ flipped }) => flipped);
  return (
    <>
      <dl class="numbers">
        <dt>{t('effectChoices')}</dt>
        <dd>
          {percent(all.flipped)}
          <span class="faint"> {t('effectHere', all.cells, tokens)}</span>
        </dd>
        <dt>{t('effectFirst')}</dt>
        <dd>{first ? `${first.stack?.[0] ?? ''}${first.layer}` : '–'}</dd>
        <dt>{t('effectLogProb')}</dt>
        <dd>{isKnown ? t('nats', signed(change)) : '–'}</dd>
        <dt>{t('effectKl')}</dt>
        <dd>{Number.isNaN(kl) ? '–' : t('nats', small(kl))}</dd>
      </dl>
      <Figure
        name="effectByLayer"
        title={t('effectByLayer')}
        chart={() => (
          <Lines
            list={[{ values: shares, class: 'main' }]}
            high={Math.max(0.05, ...shares)}
            first={layers[0]?.layer ?? 0}
          />
        )}
        table={() =>
          rowsOf(
            [t('layerHead'), t('effectChoices')],
            layers.map(({ stack, layer }, i) => [`${stack?.[0] ?? ''}${layer}`, percent(shares[i]!)]),
          )
        }
      />
    </>
  );
}
