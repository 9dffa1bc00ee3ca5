/** What would have happened: the form, what changed, and what each token owes to each expert. */
import { kindsOf, layersOf, tokenCount } from '../src/trace/access.js';
import { difference, type Difference } from '../src/trace/difference.js';
import type { Intervention, Scope, Trace } from '../src/trace/trace.js';
import { lines } from './charts.js';
import { button, h, number, replace, select } from './dom.js';
import { figure, paged, table } from './figure.js';
import { badge } from './legend.js';
import { runReason } from './reasons.js';
import type { WhatIfForm } from './state.js';
import type { Store } from './store.js';
import { fixed, kindName, percent, signed, small, t } from './strings.js';
import { tokenLabel } from '../src/trace/label.js';

/** One intervention in words. */
export function say(intervention: Intervention, trace: Trace | undefined, name: (expert: string) => string): string {
  const { scope } = intervention;
  const where =
    scope.module !== undefined
      ? placeOf(trace, scope.module)
      : scope.layer !== undefined
        ? t('inLayer', scope.layer)
        : scope.kind !== undefined
          ? t('inKind', kindName(scope.kind))
          : t('everywhere');
  const expert = name(intervention.expert);
  const what =
    intervention.action === 'knock-out'
      ? t('saidKnockOut', expert, where)
      : intervention.action === 'force'
        ? t('saidForce', expert, where)
        : t('saidTilt', expert, signed(intervention.amount, 1), where);
  return scope.token === undefined
    ? what
    : t('saidToken', what, trace ? tokenLabel(trace, scope.token) : String(scope.token + 1));
}

function placeOf(trace: Trace | undefined, path: string): string {
  const module = trace?.modules.find((m) => m.path === path);
  return module ? t('inModule', module.layer, kindName(module.kind)) : path;
}

export function expertNames(store: Store): (id: string) => string {
  const experts = store.main?.experts ?? store.pool?.experts ?? [];
  return (id) => experts.find((expert) => expert.id === id)?.name ?? id;
}

function interventionOf(form: WhatIfForm, expert: string, token: number): Intervention {
  const [axis, ...rest] = form.where.split(':');
  const value = rest.join(':');
  const scope: Scope = {
    ...(axis === 'layer'
      ? { layer: Number(value) }
      : axis === 'kind'
        ? { kind: value }
        : axis === 'module'
          ? { module: value }
          : {}),
    ...(form.tokenOnly && token >= 0 ? { token } : {}),
  };
  return form.action === 'tilt'
    ? { action: 'tilt', expert, amount: form.amount, scope }
    : { action: form.action, expert, scope };
}

export function drawWhatIf(root: HTMLElement, store: Store): void {
  const trace = store.main;
  if (!trace) {
    replace(root, h('p', { class: 'hint' }, t('needsTrace')));
    return;
  }
  replace(
    root,
    h('p', { class: 'caption' }, t('whatIfIntro')),
    form(store, trace),
    effect(store, trace),
    attribution(store, trace, () => {
      drawWhatIf(root, store);
    }),
  );
}

function form(store: Store, trace: Trace): HTMLElement {
  const { whatIf, selection } = store.view;
  const reason = runReason(store);
  const experts = trace.experts;
  const expert = experts.some(({ id }) => id === whatIf.expert) ? whatIf.expert : (experts[0]?.id ?? '');
  const set = (part: Partial<WhatIfForm>): void => {
    store.set({ whatIf: { ...store.view.whatIf, ...part } });
  };
  const module = selection.module >= 0 ? trace.modules[selection.module] : undefined;
  const places: [string, string][] = [
    ['all', t('everywhere')],
    ...(module
      ? [[`module:${module.path}`, t('inModule', module.layer, kindName(module.kind))] as [string, string]]
      : []),
    ...layersOf(trace).map((layer): [string, string] => [`layer:${layer}`, t('inLayer', layer)]),
    ...kindsOf(trace).map((kind): [string, string] => [`kind:${kind}`, t('inKind', kindName(kind))]),
  ];
  if (!places.some(([value]) => value === whatIf.where) && whatIf.where.startsWith('module:'))
    places.splice(1, 0, [whatIf.where, placeOf(trace, whatIf.where.slice(7))]);
  const where = places.some(([value]) => value === whatIf.where) ? whatIf.where : 'all';
  const hint = { 'knock-out': t('knockOutHint'), force: t('forceHint'), tilt: t('tiltHint') }[whatIf.action];
  return h(
    'div',
    { class: 'form' },
    h(
      'div',
      { class: 'formRow' },
      select(
        t('action'),
        whatIf.action,
        [
          ['knock-out', t('knockOut')],
          ['force', t('force')],
          ['tilt', t('tilt')],
        ],
        (value) => {
          set({ action: value as WhatIfForm['action'] });
        },
        { 'data-focus': 'whatif-action' },
      ),
      select(
        t('expert'),
        expert,
        experts.map(({ id, name }): [string, string] => [id, name]),
        (value) => {
          set({ expert: value });
        },
        { 'data-focus': 'whatif-expert' },
      ),
      whatIf.action === 'tilt' &&
        number(
          t('amount'),
          whatIf.amount,
          { min: -100, max: 100, step: 0.5 },
          (amount) => {
            set({ amount });
          },
          { 'data-focus': 'whatif-amount' },
        ),
      select(
        t('where'),
        where,
        places,
        (value) => {
          set({ where: value });
        },
        { 'data-focus': 'whatif-where' },
      ),
    ),
    h(
      'label',
      { class: 'check' },
      h('input', {
        type: 'checkbox',
        checked: whatIf.tokenOnly && selection.token >= 0,
        disabled: selection.token < 0,
        'data-focus': 'whatif-token',
        on: {
          change: () => {
            set({ tokenOnly: !whatIf.tokenOnly });
          },
        },
      }),
      selection.token >= 0 ? t('onlyToken', tokenLabel(trace, selection.token)) : t('onlyTokenNone'),
    ),
    h('p', { class: 'caption' }, hint),
    h(
      'div',
      { class: 'formRow' },
      button(t('apply'), {
        press: () => {
          store.route([
            ...(store.sides.main?.interventions ?? []),
            interventionOf({ ...store.view.whatIf, where }, expert, store.view.selection.token),
          ]);
        },
        primary: true,
        reason,
        'data-focus': 'whatif-apply',
      }),
      reason !== undefined && h('span', { class: 'faint' }, reason),
    ),
  );
}

const differences = new WeakMap<Trace, { before: Trace; value: Difference }>();

function differenceOf(trace: Trace, before: Trace): Difference {
  const found = differences.get(trace);
  if (found?.before === before) return found.value;
  const value = difference(before, trace);
  differences.set(trace, { before, value });
  return value;
}

function effect(store: Store, trace: Trace): HTMLElement | undefined {
  const side = store.sides.main;
  if (!side || side.interventions.length === 0) return undefined;
  const title = h('h3', {}, t('effect'));
  if (!side.before || side.running)
    return h('section', { class: 'figure' }, title, h('p', { class: 'hint' }, t('effectWaiting')));
  const { all, byLayer, layers, logProb, predictions } = differenceOf(trace, side.before);
  if (all.flipped === 0) return h('section', { class: 'figure' }, title, h('p', { class: 'hint' }, t('effectNone')));
  const first = layers.find((_, i) => byLayer[i]!.flipped > 0);
  const sum = logProb.reduce((total, x) => (Number.isNaN(x) ? total : total + x), 0);
  const known = predictions.filter((x) => !Number.isNaN(x));
  const kl = known.reduce((total, x) => total + x, 0) / known.length;
  const shares = byLayer.map(({ flipped }) => flipped);
  return h(
    'section',
    { class: 'figure' },
    title,
    h(
      'dl',
      { class: 'numbers' },
      h('dt', {}, t('effectChoices')),
      h(
        'dd',
        {},
        percent(all.flipped),
        h('span', { class: 'faint' }, ` ${t('effectHere', all.cells, tokenCount(trace))}`),
      ),
      h('dt', {}, t('effectFirst')),
      h('dd', {}, first ?? '–'),
      h('dt', {}, t('effectLogProb')),
      h('dd', {}, t('nats', signed(sum))),
      h('dt', {}, t('effectKl')),
      h('dd', {}, t('nats', small(kl))),
    ),
    figure(store, {
      name: 'effectByLayer',
      title: t('effectByLayer'),
      chart: () =>
        lines([{ values: shares, class: 'main' }], {
          high: Math.max(0.05, ...shares),
          first: layers[0] ?? 0,
        }),
      table: () => ({
        head: [t('layerHead'), t('effectChoices')],
        rows: layers.map((layer, i) => [String(layer), percent(shares[i]!)]),
      }),
    }),
  );
}

const pageSize = 40;
let page = 0;

function attribution(store: Store, trace: Trace, again: () => void): HTMLElement {
  const { attribution: found, running } = store.sides.main ?? {};
  const reason = runReason(store);
  const head = h(
    'header',
    {},
    h('h3', {}, t('attributeTitle')),
    button(t('attribute'), {
      press: () => {
        store.send({ type: 'attribute' });
      },
      reason,
      'data-focus': 'attribute',
    }),
  );
  if (!found)
    return h(
      'section',
      { class: 'figure', 'data-figure': 'attribution' },
      head,
      h(
        'p',
        { class: 'caption' },
        running?.what === 'attribute' ? t('attributing', running.done, running.total) : t('attributeHow'),
      ),
    );

  const [T, N] = [tokenCount(trace), found.experts.length];
  const { change } = found;
  let largest = 0;
  for (const x of change) if (Math.abs(x) > largest) largest = Math.abs(x);
  const indexOf = (id: string) => trace.experts.findIndex((e) => e.id === id);
  page = Math.min(page, Math.floor((T - 1) / pageSize) * pageSize);
  const rows = Array.from({ length: Math.min(pageSize, T - page) }, (_, i) => {
    const at = page + i;
    const row = change.subarray(at * N, (at + 1) * N);
    const best = row.reduce((b, x, e) => (x < (row[b] ?? 0) ? e : b), -1);
    return [
      button(h('code', {}, tokenLabel(trace, at)), {
        press: () => {
          store.select({ token: at });
        },
        class: 'link',
        'data-focus': `attribution-${at}`,
      }),
      best >= 0 && row[best]! < -0.01
        ? h('span', { class: 'expert' }, badge(indexOf(found.experts[best]!.id)), found.experts[best]!.name)
        : '–',
      ...Array.from(row, (x) => heatText(x, largest)),
    ];
  });
  const heads = [t('tokenHead'), t('attributeBest'), ...found.experts.map(({ name }) => name)];
  return h(
    'section',
    { class: 'figure', 'data-figure': 'attribution' },
    head,
    h('p', { class: 'caption' }, t('attributeCaption')),
    table({ head: heads, rows }, t('attributeTitle')),
    paged(T, page, pageSize, (from) => {
      page = from;
      again();
    }),
  );
}

/** Red-ish loss and green-ish gain would be lost on many: the sign is in the number, the size in the shade. */
function heatText(x: number, largest: number): HTMLElement {
  const size = Number.isFinite(x) && largest > 0 ? Math.abs(x) / largest : 0;
  return h(
    'span',
    { class: `heatText ${x < 0 ? 'owes' : 'gains'}`, style: { '--size': `${(size * 100).toFixed(0)}%` } },
    fixed(x),
  );
}
