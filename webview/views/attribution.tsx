/** What each token owes to each expert: every one knocked out in turn. */
import { useSignal } from '@preact/signals';
import { tokenLabel } from '../../src/trace/label.js';
import type { Expert, ExpertSet, Trace } from '../../src/trace/trace.js';
import { reasonAgainst } from '../app/reasons.js';
import { Bars, type Bar } from '../components/bars.js';
import { Button } from '../components/controls.js';
import { useStore } from '../components/context.js';
import { Badge } from '../components/expert.js';
import { Pager } from '../components/figure.js';
import { TableBox } from '../components/table.js';
import type { Looks } from '../look/looks.js';
import { expertName } from '../look/names.js';
import { fixed, signed, t } from '../look/strings.js';

const pageSize = 40;

export function Attribution({ trace }: { readonly trace: Trace }) {
  const store = useStore();
  const { attribution, running } = store.main;
  const found = attribution.value;
  const isGoing = running.value?.what === 'attribute' ? running.value : undefined;
  return (
    <section class="figure" data-figure="attribution">
      <header>
        <h3>{t('attributeTitle')}</h3>
        <Button
          press={() => {
            store.send({ type: 'attribute' });
          }}
          reason={reasonAgainst(store, 'attribute')}
          data-focus="attribute"
        >
          {t('attribute')}
        </Button>
      </header>
      {found ? (
        <Owed trace={trace} found={found} />
      ) : (
        <p class="caption">{isGoing ? t('attributing', isGoing.done, isGoing.total) : t('attributeHow')}</p>
      )}
    </section>
  );
}

function Owed({
  trace,
  found: { experts, change },
}: {
  readonly trace: Trace;
  readonly found: {
    readonly experts: readonly Expert[];
    readonly change: Float32Array;
  };
}) {
  const store = useStore();
  const page = useSignal(0);
  const places = placesOf(trace, experts, store.main.looks.value);
  const isMany = experts.length > most && places[0]?.looks.set.scope === 'layer';
  // Of an input nothing is predicted.
  const index = trace.sequences.length - 1;
  const sequence = trace.sequences[index]!;
  const [T, N] = [sequence.tokens.count, experts.length];
  let largest = 0;
  for (const x of change) if (Math.abs(x) > largest) largest = Math.abs(x);
  const lastPage = Math.floor((T - 1) / pageSize);
  const from = Math.min(page.value, lastPage) * pageSize;
  const row = (i: number) => {
    const at = from + i;
    const own = change.subarray(at * N, (at + 1) * N);
    const best = own.reduce((b, x, e) => (x < (own[b] ?? 0) ? e : b), -1);
    const owes = best >= 0 && own[best]! < -0.01;
    return [
      <Button
        key="go"
        press={() => {
          store.select({ sequence: index, token: at });
        }}
        class="link"
        data-focus={`attribution-${at}`}
      >
        <code>{tokenLabel(sequence, at)}</code>
      </Button>,
      owes ? (
        <span key="owes" class="expert">
          {places[best] && <Badge looks={places[best].looks} expert={places[best].expert} />}
          {places[best]?.name ?? experts[best]!.name}
        </span>
      ) : (
        '–'
      ),
      ...(isMany ? [fixed(own[best] ?? NaN)] : Array.from(own, (x, e) => <HeatText key={e} x={x} largest={largest} />)),
    ];
  };
  const all = totals(places, change);
  const sums = isMany ? all.slice(0, most) : all;
  return (
    <>
      <p class="caption">{t('attributeTotals')}</p>
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
        turn={(by) => {
          page.value = Math.min(lastPage, Math.max(0, page.peek() + by));
        }}
      />
    </>
  );
}

/** Of more experts of many layers a token names the one, and a table has no column for each. */
const most = 24;

interface Placed {
  readonly looks: Looks;
  /** In the looks' set. */
  readonly expert: number;
  readonly name: string;
}

/** Where each expert is in the trace; undefined: nowhere. */
function placesOf(
  { expertSets, sites }: Trace,
  experts: readonly Expert[],
  looks: (set: ExpertSet) => Looks,
): (Placed | undefined)[] {
  const known = new Map<string, Placed>();
  for (const { expertSet, layer, stack } of sites) {
    const set = expertSets[expertSet]!;
    set.experts.forEach(({ id }, expert) => {
      if (!known.has(id))
        known.set(id, { looks: looks(set), expert, name: expertName(set, expert, { layer, ...(stack && { stack }) }) });
    });
  }
  return experts.map(({ id }) => known.get(id));
}

/** What the whole text owes to each expert, the most first. */
function totals(places: readonly (Placed | undefined)[], change: Float32Array): (Bar & Placed)[] {
  const sums = new Float64Array(places.length);
  change.forEach((x, i) => {
    if (!Number.isNaN(x)) sums[i % places.length]! += x;
  });
  return places
    .flatMap((place, e) => (place ? [{ ...place, value: sums[e]!, text: signed(sums[e]!) }] : []))
    .sort((a, b) => a.value - b.value);
}

/** Red-ish loss and green-ish gain would be lost on many: the sign is in the number, the size in the shade. */
function HeatText({ x, largest }: { readonly x: number; readonly largest: number }) {
  const size = Number.isFinite(x) && largest > 0 ? Math.abs(x) / largest : 0;
  return (
    <span class={`heatText ${x < 0 ? 'owes' : 'gains'}`} style={{ '--size': `${(size * 100).toFixed(0)}%` }}>
      {fixed(x)}
    </span>
  );
}
