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
        says={figureWords(trace, token, found)}
        result={found}
        {...(found ? {} : { plot: null })}
      >
        {found ? (
          <Found lens={found} trace={trace} />
        ) : (
          <>
            <Button
              press={() => {
                expectResult(store, 'lens');
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

/** What a figure of it says on its own: of which token, and what its signs mean. */
function figureWords(trace: Trace, token: number, lens: Lens | undefined): string {
  const last = trace.sequences.length - 1;
  const after = t('lensAfter', tokenLabel(trace.sequences[last]!, token), tokenPlace(trace.sequences, last, token));
  const found = lens
    ? [sentence(lens, trace), ...(hasNext(lens) ? [t('lensLegend', lens.routed.predictions)] : [])]
    : [];
  return [t('lensCaption'), after, ...found].join(' ');
}

const hasNext = ({ routed }: Lens) => routed.logProb !== undefined;
const withoutOf = ({ without }: Lens) => ('none' in without ? undefined : without);

/** Whether the likeliest token is another without the experts. @param layer index */
function differs(lens: Lens, layer: number): boolean {
  const without = withoutOf(lens);
  return without !== undefined && best(lens.routed, layer) !== best(without, layer);
}

function sentence(lens: Lens, trace: Trace): string {
  const { layers, token } = lens;
  const next = hasNext(lens) ? whenLikeliest(lens, tokenLabel(trace.sequences.at(-1)!, token + 1)) : t('lensNoNext');
  if (!withoutOf(lens)) return next;
  return `${next} ${howManyDiffer(layers.filter((_, layer) => differs(lens, layer)).length, layers.length)}`;
}

function Found({ lens, trace }: { readonly lens: Lens; readonly trace: Trace }) {
  const { layers, routed, token } = lens;
  const without = withoutOf(lens);
  const nextId = lens.ids[token + 1];
  const columns = without ? [routed, without] : [routed];
  const lastFirst = Array.from(layers, (_, layer) => layers.length - 1 - layer);
  return (
    <>
      <p class="sentence">{sentence(lens, trace)}</p>
      {hasNext(lens) && <p class="caption">{t('lensLegend', routed.predictions)}</p>}
      <ScrollBox label={t('tab_lens')} class="lensBox">
        <table class="lens">
          <caption class="unseen">{t('lensCaption')}</caption>
          <thead>
            {without && (
              <tr>
                <td />
                {(['lensRouted', 'lensWithout'] as const).map((name) => (
                  <th key={name} scope="colgroup" colSpan={hasNext(lens) ? 2 : 1}>
                    {t(name)}
                  </th>
                ))}
                <td />
              </tr>
            )}
            <tr>
              <th scope="col">{t('layerHead')}</th>
              {columns.map((_, c) => (
                <Heads key={c} hasNext={hasNext(lens)} />
              ))}
              {without && (
                <th scope="col">
                  <span class="unseen">{t('lensDiffersHere')}</span>
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {/* The last layers tell most: what they predict is what the run does. */}
            {lastFirst.map((layer) => (
              <tr key={layer} class={classes(differs(lens, layer) && 'differs')}>
                <th scope="row" class="number">
                  {layers[layer]}
                </th>
                {columns.map((column, c) => (
                  <Cells key={c} column={column} layer={layer} nextId={nextId} />
                ))}
                {without && (
                  <td>
                    {differs(lens, layer) && (
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
      <p class="caption">{t('lensCaption')}</p>
      {'none' in lens.without && <p class="caption">{t(`lensNone_${lens.without.none}`)}</p>}
    </>
  );
}

/** In which layers the token that came next was the likeliest. */
function whenLikeliest({ ids, layers, routed, token }: Lens, next: string): string {
  const is = Array.from(layers, (_, layer) => best(routed, layer) === ids[token + 1]);
  const count = is.filter(Boolean).length;
  const last = layers.length - 1;
  if (count === 0) return t('lensNever', next);
  if (!is[last]) return t('lensNotLast', count, next);
  const from = is.lastIndexOf(false) + 1;
  if (from === 0) return t('lensAlways', next);
  return from === last ? t('lensLast', next) : t('lensFrom', next, String(layers[from]));
}

const howManyDiffer = (count: number, of: number): string =>
  count === 0 ? t('lensDifferNone') : t('lensDiffer', count, of);

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
        <td
          class={classes('number', rank < 0 && 'faint')}
          title={rank < 0 ? t('lensNotAmong', predictions) : undefined}
        >
          {t('lensNextAt', fixed(logProb[layer]!), rank < 0 ? `>${predictions}` : rank + 1)}
        </td>
      )}
    </>
  );
}

const best = ({ topIds, predictions }: LensColumn, layer: number): number => topIds[layer * predictions]!;
