/** What each layer would predict after the selected token, with the experts and without: computed only on request. */
import type { Lens, LensColumn } from '../../../src/requests/api.js';
import { tokenLabel, visible } from '../../../src/trace/text/label.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { reasonAgainst } from '../../store/reasons.js';
import { useStore } from '../../components/context.js';
import { expectResult } from '../../components/arrival.js';
import { Button, classes } from '../../components/controls.js';
import { Part } from '../../components/figure.js';
import { ScrollBox } from '../../components/table.js';
import { tokenPlace } from '../../look/names.js';
import { fixed, percent, t } from '../../look/strings.js';

export function LensView() {
  const store = useStore();
  const trace = store.main.trace.value;
  if (!trace) return <p class="hint">{t('needsTrace')}</p>;
  const { sequence, token } = store.view.selection.value;
  const last = trace.sequences.length - 1;
  const reason = reasonAgainst(store, 'lens');
  if (token < 0) return <p class="hint">{t('lensPick')}</p>;
  if (sequence !== last) return <p class="hint">{t('lensInput')}</p>;
  const found = store.main.lenses.value.find((lens) => lens.token === token);
  const own = trace.sequences[last]!;
  return (
    <>
      <header class="detailTitle">
        <h2>
          <code>{tokenLabel(own, token)}</code>
        </h2>
        <span class="faint">{tokenPlace(trace.sequences, last, token)}</span>
      </header>
      <Part
        name="lens"
        title={t('lensTitle')}
        says={t('lensCaption')}
        result={found}
        {...(found ? {} : { plot: null })}
      >
        {found ? (
          <Found lens={found} trace={trace} />
        ) : (
          <>
            <Button
              press={() => {
                expectResult('lens');
                store.send({ type: 'lens', token });
              }}
              reason={reason}
              data-focus="lens"
            >
              {t('lensShow')}
            </Button>
            <p class="caption">{reason ?? t('lensHow')}</p>
          </>
        )}
      </Part>
    </>
  );
}

function Found({ lens, trace }: { readonly lens: Lens; readonly trace: Trace }) {
  const { layers, routed, token } = lens;
  const without = 'none' in lens.without ? undefined : lens.without;
  const own = trace.sequences.at(-1)!;
  const hasNext = routed.logProb !== undefined;
  const nextId = lens.ids[token + 1];
  const columns = without ? [routed, without] : [routed];
  const differs = (layer: number) => without !== undefined && best(routed, layer) !== best(without, layer);
  return (
    <>
      <p class="sentence">{hasNext ? t('lensNext', tokenLabel(own, token + 1)) : t('lensNoNext')}</p>
      <p class="caption">{t('lensCaption')}</p>
      {'none' in lens.without && <p class="caption">{t(`lensNone_${lens.without.none}`)}</p>}
      <ScrollBox label={t('tab_lens')} class="lensBox">
        <table class="lens">
          <caption class="unseen">{t('lensCaption')}</caption>
          <thead>
            {without && (
              <tr>
                <td />
                {(['lensRouted', 'lensWithout'] as const).map((name) => (
                  <th key={name} scope="colgroup" colSpan={hasNext ? 2 : 1}>
                    {t(name)}
                  </th>
                ))}
                <td />
              </tr>
            )}
            <tr>
              <th scope="col">{t('layerHead')}</th>
              {columns.map((_, c) => (
                <Heads key={c} hasNext={hasNext} />
              ))}
              {without && (
                <th scope="col">
                  <span class="unseen">{t('lensDiffersHere')}</span>
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {layers.map((number, layer) => (
              <tr key={number} class={classes(differs(layer) && 'differs')}>
                <th scope="row" class="number">
                  {number}
                </th>
                {columns.map((column, c) => (
                  <Cells key={c} column={column} layer={layer} nextId={nextId} />
                ))}
                {without && (
                  <td>
                    {differs(layer) && (
                      <>
                        <span aria-hidden="true">≠</span>
                        <span class="unseen">{t('lensDiffersHere')}</span>
                      </>
                    )}
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollBox>
      {hasNext && <p class="caption">{t('lensLegend', routed.predictions)}</p>}
      {without && <p class="caption">{t('lensDiffers')}</p>}
    </>
  );
}

function Heads({ hasNext }: { readonly hasNext: boolean }) {
  return (
    <>
      <th scope="col">{t('lensLikeliest')}</th>
      {hasNext && (
        <th scope="col" class="number">
          {t('lensNextHead')}
        </th>
      )}
    </>
  );
}

interface At {
  readonly column: LensColumn;
  readonly layer: number;
  readonly nextId: number | undefined;
}

function Cells({ column, layer, nextId }: At) {
  const { predictions, topIds, topLogProb, topTokens, logProb } = column;
  const from = layer * predictions;
  const rank = nextId === undefined ? -1 : topIds.subarray(from, from + predictions).indexOf(nextId);
  return (
    <>
      <td class={classes(rank === 0 && 'actual')}>
        <code title={visible(topTokens[from]!)}>{visible(topTokens[from]!)}</code>{' '}
        <span class="faint">{percent(Math.exp(topLogProb[from]!))}</span>
      </td>
      {logProb && (
        <td class={classes('number', rank < 0 && 'faint')}>
          {t('lensNextAt', fixed(logProb[layer]!), rank < 0 ? `>${predictions}` : rank + 1)}
        </td>
      )}
    </>
  );
}

const best = ({ topIds, predictions }: LensColumn, layer: number): number => topIds[layer * predictions]!;
