/** What would have happened: the form, what changed, and what each token owes to each expert. */
import { useSignal } from '@preact/signals';
import { kindsOf, layersOf } from '../../src/trace/access.js';
import { tokenLabel } from '../../src/trace/label.js';
import type { Sight } from '../../src/trace/sight.js';
import type { Intervention, Scope, Trace } from '../../src/trace/trace.js';
import { reasonAgainst } from '../app/reasons.js';
import type { Selection, WhatIfForm } from '../app/state.js';
import { Button, NumberField, Select, type Option } from '../components/controls.js';
import { useStore } from '../components/context.js';
import { Badge } from '../components/expert.js';
import { Figure, Pager } from '../components/figure.js';
import { Lines } from '../components/lines.js';
import { TableBox, rowsOf } from '../components/table.js';
import { layerKey } from '../../src/trace/sight.js';
import { layerOf } from '../app/layers.js';
import { layerName, plainName } from '../look/names.js';
import { fixed, kindName, percent, signed, small, t } from '../look/strings.js';
import { inSite } from './whatIfWords.js';

export function WhatIf() {
  const trace = useStore().main.trace.value;
  if (!trace) return <p class="hint">{t('needsTrace')}</p>;
  return (
    <>
      <p class="caption">{t('whatIfIntro')}</p>
      <Form trace={trace} />
      <Effect trace={trace} />
      <Attribution trace={trace} />
    </>
  );
}

function interventionOf(
  trace: Trace,
  { action, amount, where, tokenOnly }: WhatIfForm,
  expert: string,
  at: { readonly sequence: number; readonly token: number },
): Intervention {
  const colon = where.indexOf(':');
  const [axis, value] = [where.slice(0, Math.max(0, colon)), where.slice(colon + 1)];
  const layer = axis === 'layer' ? layerOf(trace, value) : undefined;
  const scope: Scope = {
    ...layer,
    ...(axis === 'kind' && { kind: value }),
    ...(axis === 'module' && { module: value }),
    ...(tokenOnly && at.token >= 0 && { token: at.token, ...(at.sequence > 0 && { sequence: at.sequence }) }),
  };
  return action === 'tilt' ? { action, expert, amount, scope } : { action, expert, scope };
}

const actions = [
  ['knock-out', 'knockOut', 'knockOutHint'],
  ['force', 'force', 'forceHint'],
  ['tilt', 'tilt', 'tiltHint'],
] as const;

function Form({ trace }: { readonly trace: Trace }) {
  const store = useStore();
  const form = store.view.whatIf.value;
  const selection = store.view.selection.value;
  const set = (part: Partial<WhatIfForm>): void => {
    store.set({ whatIf: { ...store.view.whatIf.peek(), ...part } });
  };
  const reason = reasonAgainst(store, 'whatIf');
  const { places, where, experts, expert } = aim(trace, form, selection, store.main.sight.value);
  const sequence = trace.sequences[selection.sequence]!;
  return (
    <div class="form">
      <div class="formRow">
        <Select
          label={t('action')}
          value={form.action}
          options={actions.map(([name, title]) => [name, t(title)] as const)}
          change={(value) => {
            set({ action: value as WhatIfForm['action'] });
          }}
          data-focus="whatif-action"
        />
        <Select
          label={t('expert')}
          value={expert}
          options={experts}
          change={(value) => {
            set({ expert: value });
          }}
          data-focus="whatif-expert"
        />
        {form.action === 'tilt' && (
          <NumberField
            label={t('amount')}
            value={form.amount}
            range={{ min: -100, max: 100, step: 0.5 }}
            change={(amount) => {
              set({ amount });
            }}
            data-focus="whatif-amount"
          />
        )}
        <Select
          label={t('where')}
          value={where}
          options={places}
          change={(value) => {
            set({ where: value });
          }}
          data-focus="whatif-where"
        />
      </div>
      <label class="check">
        <input
          type="checkbox"
          checked={form.tokenOnly && selection.token >= 0}
          disabled={selection.token < 0}
          data-focus="whatif-token"
          onChange={() => {
            set({ tokenOnly: !form.tokenOnly });
          }}
        />
        {selection.token >= 0 ? t('onlyToken', tokenLabel(sequence, selection.token)) : t('onlyTokenNone')}
      </label>
      <p class="caption">{t(actions.find(([name]) => name === form.action)![2])}</p>
      <div class="formRow">
        <Button
          press={() => {
            // As it stands by now, which may be later than what was drawn.
            const [now, at] = [store.view.whatIf.peek(), store.view.selection.peek()];
            const { where: there, expert: whom } = aim(trace, now, at, store.main.sight.peek());
            store.route([
              ...store.main.interventions.peek(),
              interventionOf(trace, { ...now, where: there }, whom, at),
            ]);
          }}
          primary
          reason={reason}
          data-focus="whatif-apply"
        >
          {t('apply')}
        </Button>
        {reason !== undefined && <span class="faint">{reason}</span>}
      </div>
    </div>
  );
}

/** What the form can say, and what it says: of a place or an expert that this trace has not, the first. */
function aim(trace: Trace, form: WhatIfForm, selection: Selection, sight: Sight | undefined) {
  const site = selection.site >= 0 ? trace.sites[selection.site] : undefined;
  const places = placesOf(trace, form.where, site?.path, sight?.layer !== undefined);
  const where = places.some(([value]) => value === form.where) ? form.where : (places[0]?.[0] ?? 'all');
  const set = expertsAt(trace, where) ?? sight?.set;
  const experts = (set?.experts ?? []).map(({ id }, e): Option => [id, plainName(set!, e)]);
  const expert = experts.some(([id]) => id === form.expert) ? form.expert : (experts[0]?.[0] ?? '');
  return { places, where, experts, expert };
}

/** Where a what-if may hold. Where each layer has experts of its own it holds in one of them. */
function placesOf(trace: Trace, now: string, path: string | undefined, isLocal: boolean): Option[] {
  const places: Option[] = isLocal ? [] : [['all', t('everywhere')]];
  const modules = [path, now.startsWith('module:') ? now.slice(7) : undefined].filter((one) => one !== undefined);
  for (const module of new Set(modules)) places.push([`module:${module}`, inSite(trace, module)]);
  for (const layer of layersOf(trace)) places.push([`layer:${layerKey(layer)}`, t('inPlace', layerName(layer))]);
  if (!isLocal) for (const kind of kindsOf(trace)) places.push([`kind:${kind}`, t('inKind', kindName(kind))]);
  return places;
}

/** The experts that a place has. */
function expertsAt(trace: Trace, where: string) {
  const site = trace.sites.find((one) => where === `module:${one.path}` || where === `layer:${layerKey(one)}`);
  return site && trace.expertSets[site.expertSet];
}

function Effect({ trace }: { readonly trace: Trace }) {
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

type Found = NonNullable<ReturnType<ReturnType<typeof useStore>['work']['differences']>>[number];

function EffectNumbers({ found, tokens }: { readonly found: Found; readonly tokens: number }) {
  const { all, byLayer, layers, logProb, predictions } = found;
  const first = layers.find((_, i) => byLayer[i]!.flipped > 0);
  const isKnown = logProb.some((x) => !Number.isNaN(x));
  const sum = logProb.reduce((total, x) => (Number.isNaN(x) ? total : total + x), 0);
  const known = predictions.filter((x) => !Number.isNaN(x));
  const kl = known.reduce((total, x) => total + x, 0) / known.length;
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
        <dd>{isKnown ? t('nats', signed(sum)) : '–'}</dd>
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

const pageSize = 40;

function Attribution({ trace }: { readonly trace: Trace }) {
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
    readonly experts: readonly { readonly id: string; readonly name: string }[];
    readonly change: Float32Array;
  };
}) {
  const store = useStore();
  const page = useSignal(0);
  const set = trace.expertSets[0]!;
  const looks = store.main.looks.value(set);
  const sequence = trace.sequences[0]!;
  const [T, N] = [sequence.tokens.count, experts.length];
  let largest = 0;
  for (const x of change) if (Math.abs(x) > largest) largest = Math.abs(x);
  const from = Math.min(page.value, Math.floor((T - 1) / pageSize) * pageSize);
  const row = (i: number) => {
    const at = from + i;
    const own = change.subarray(at * N, (at + 1) * N);
    const best = own.reduce((b, x, e) => (x < (own[b] ?? 0) ? e : b), -1);
    const owes = best >= 0 && own[best]! < -0.01;
    return [
      <Button
        key="go"
        press={() => {
          store.select({ sequence: 0, token: at });
        }}
        class="link"
        data-focus={`attribution-${at}`}
      >
        <code>{tokenLabel(sequence, at)}</code>
      </Button>,
      owes ? (
        <span key="owes" class="expert">
          <Badge looks={looks} expert={set.experts.findIndex(({ id }) => id === experts[best]!.id)} />
          {experts[best]!.name}
        </span>
      ) : (
        '–'
      ),
      ...Array.from(own, (x, e) => <HeatText key={e} x={x} largest={largest} />),
    ];
  };
  return (
    <>
      <p class="caption">{t('attributeCaption')}</p>
      <TableBox
        rows={{
          head: [t('tokenHead'), t('attributeBest'), ...experts.map(({ name }) => name)],
          count: Math.min(pageSize, T - from),
          row,
        }}
        caption={t('attributeTitle')}
      />
      <Pager
        count={T}
        from={from}
        size={pageSize}
        go={(to) => {
          page.value = to;
        }}
      />
    </>
  );
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
