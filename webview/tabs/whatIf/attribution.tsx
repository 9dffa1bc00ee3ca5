/** Attribution: how each token's log-probability changes when each expert in turn is knocked out. */
import { useSignal } from '@preact/signals';
import { max } from 'd3-array';
import type { Attribution as Found } from '../../../src/requests/api.js';
import { attributedExperts } from '../../../src/trace/figures/attributed.js';
import { isBaseAlone } from '../../../src/trace/model/fixed.js';
import { isMixture } from '../../../src/trace/model/router.js';
import { tokenLabel } from '../../../src/trace/text/label.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { reasonAgainst } from '../../store/reasons.js';
import type { Store } from '../../store/store.js';
import { expectResult } from '../../components/arrival.js';
import { Bars, barsPlot, type Bar } from '../../components/bars.js';
import { Button } from '../../components/controls.js';
import { useStore } from '../../components/context.js';
import { Badge } from '../../components/expert.js';
import { Pager, Part } from '../../components/figure.js';
import { HeatText } from '../../components/heatText.js';
import { TableBox } from '../../components/table.js';
import { fixed, signed, t } from '../../look/strings.js';
import { once } from '../../store/sums.js';
import { attributionIn, placesOf, type Placed } from '../../store/attribution.js';

const pageSize = 40;

export function Attribution({ trace }: { readonly trace: Trace }) {
  const store = useStore();
  const found = store.main.attribution.value;
  const reason = reasonAgainst(store, 'attribute') ?? (isBaseAlone(trace) ? t('noExpertsTaken') : undefined);
  const sums = found && shownTotals(trace, found, store);
  return (
    <Part
      name="attribution"
      title={t('attributeTitle')}
      says={t('attributeTotals')}
      plot={sums?.[0] ? () => barsPlot(sums[0]!.looks, sums, { title: t('attributeChange'), unit: 'nats' }) : null}
      control={
        <Button
          press={() => {
            expectResult(store, 'attribution');
            store.send({ type: 'attribute' });
          }}
          reason={reason}
          data-focus="attribute"
        >
          {t('attribute')}
        </Button>
      }
      result={found}
    >
      {/* The header shows the progress, with the button that stops it. */}
      {found && sums ? (
        <AttributionFigures trace={trace} found={found} sums={sums} />
      ) : (
        <p class="caption">{reason ?? howWords(trace)}</p>
      )}
    </Part>
  );
}

/** A mixture has too many experts for a run each. */
function howWords(trace: Trace): string {
  if (!isMixture(trace)) return t('attributeHow');
  return t('attributeHowMost', once(trace, 'attributed', () => attributedExperts(trace, {})).length);
}

function AttributionFigures({
  trace,
  found,
  sums,
}: {
  readonly trace: Trace;
  readonly found: Found;
  readonly sums: readonly (Bar & Placed)[];
}) {
  const store = useStore();
  const page = useSignal(0);
  const { experts, change, of } = found;
  const places = placesOf(trace, experts, store.main.looks.value);
  const attributed = attributionIn(found);
  const isMany = areMany(places);
  // An input has no predictions.
  const index = trace.sequences.length - 1;
  const sequence = trace.sequences[index]!;
  const [T, N] = [sequence.tokens.count, experts.length];
  const largest = max(change, Math.abs) ?? 0;
  const lastPage = Math.floor((T - 1) / pageSize);
  const from = Math.min(page.value, lastPage) * pageSize;
  const row = (i: number) => {
    const at = from + i;
    const own = change.subarray(at * N, (at + 1) * N);
    const best = attributed.expert[at] ?? -1;
    return [
      <Button
        key="go"
        press={() => store.select({ sequence: index, token: at })}
        class="link"
        data-focus={`attribution-${at}`}
      >
        <code>{tokenLabel(sequence, at)}</code>
      </Button>,
      best >= 0 ? (
        <span key="attribution" class="expert">
          {places[best] && <Badge looks={places[best].looks} expert={places[best].expert} />}
          {places[best]?.name ?? experts[best]!.name}
        </span>
      ) : (
        '–'
      ),
      ...(isMany
        ? [fixed(own[best] ?? NaN)]
        : Array.from(own, (x, e) => <HeatText key={e} value={x} share={Math.abs(x) / largest} text={fixed(x)} />)),
    ];
  };
  return (
    <>
      {of !== undefined && of > N && <p class="notice">{t('attributePart', N, of)}</p>}
      <p class="caption">
        {t('attributeTotals')}
        {isMixture(trace) && ` ${t('attributeTried', N)}`}
      </p>
      {isMany && <p class="caption">{t('attributeMost', most, experts.length)}</p>}
      {sums[0] && <Bars looks={sums[0].looks} least={0.1} list={sums} />}
      <p class="caption">{t('attributeCaption')}</p>
      {index > 0 && <p class="caption">{t('ofSequence', t(sequence.role))}</p>}
      <TableBox
        rows={{
          head: [
            t('tokenHead'),
            t('attributeBest'),
            ...(isMany ? [t('attributeChange')] : experts.map(({ name }) => name)),
          ],
          count: Math.min(pageSize, T - from),
          row,
        }}
        caption={t('attributeTitle')}
      />
      <Pager
        count={T}
        from={from}
        size={pageSize}
        turn={(by) => (page.value = Math.min(lastPage, Math.max(0, page.peek() + by)))}
      />
    </>
  );
}

/** With more experts than this, over many layers, a token's row names one expert instead of having a column for each. */
const most = 24;

function areMany(places: readonly (Placed | undefined)[]): boolean {
  return places.length > most && places[0]?.looks.set.scope === 'layer';
}

function shownTotals(trace: Trace, found: Found, store: Store): (Bar & Placed)[] {
  const places = placesOf(trace, found.experts, store.main.looks.value);
  const all = totalBars(places, attributionIn(found).totals);
  return areMany(places) ? all.slice(0, most) : all;
}

/** Each expert's attribution over the whole text; those whose knock-out costs most come first. */
function totalBars(places: readonly (Placed | undefined)[], totals: Float64Array): (Bar & Placed)[] {
  return places
    .flatMap((place, e) => (place ? [{ ...place, value: totals[e]!, text: signed(totals[e]!) }] : []))
    .sort((a, b) => a.value - b.value);
}
