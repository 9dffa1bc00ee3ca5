/** Two runs side by side: how far their choices agree, where they do not, and what it does to the predictions. */
import { difference, type Difference } from '../src/trace/difference.js';
import { Mean } from '../src/trace/mean.js';
import type { Strategy, StrategyName, Trace } from '../src/trace/trace.js';
import { bars, lines } from './charts.js';
import { button, h, replace, select } from './dom.js';
import { figure } from './figure.js';
import { partners } from './raster.js';
import { runReason } from './reasons.js';
import type { Store } from './store.js';
import { fixed, percent, signed, strategyName, t } from './strings.js';
import { tokenLabel } from '../src/trace/label.js';

/** A strategy with what it needs filled in. */
export function strategyOf(name: StrategyName, store: Store, now?: Strategy): Strategy {
  const k = now && 'k' in now ? now.k : (store.pool?.topK ?? 2);
  switch (name) {
    case 'single':
      return { name, expert: now?.name === 'single' ? now.expert : (store.pool?.experts[0]?.id ?? '') };
    case 'phatgoose':
    case 'average-activation':
    case 'arrow':
      return { name, k };
    case 'base':
    case 'retrieval':
    case 'merged':
    case 'multitask':
      return { name };
  }
}

const kept = new WeakMap<Trace, { other: Trace; value: Difference }>();

function differenceOf(main: Trace, other: Trace): Difference {
  const found = kept.get(main);
  if (found?.other === other) return found.value;
  const value = difference(main, other, {}, partners(main, other).alignment);
  kept.set(main, { other, value });
  return value;
}

export function drawCompare(root: HTMLElement, store: Store): void {
  const { main, other } = store;
  if (!main || !other) {
    replace(root, start(store));
    return;
  }
  const found = differenceOf(main, other);
  const { all, byLayer, layers, logProb, alignment } = found;
  const mean = (trace: Trace): number => {
    const m = new Mean();
    for (const x of trace.logProb ?? []) m.add(x);
    return m.value;
  };
  const same = alignment.same.reduce((n, x) => n + x, 0);
  const shares = byLayer.map(({ saturation }) => saturation);
  const row = (name: string, value: string, beside?: string) => [
    h('dt', {}, name),
    h('dd', {}, value, beside !== undefined && h('span', { class: 'faint' }, ` ${beside}`)),
  ];
  const change = { main: mean(main), other: mean(other) };
  replace(
    root,
    h(
      'table',
      { class: 'sides' },
      h('caption', { class: 'unseen' }, t('compareSides')),
      h(
        'tbody',
        {},
        ...(['main', 'other'] as const).map((side) =>
          h(
            'tr',
            {},
            h('th', { scope: 'row' }, t(side === 'main' ? 'compareThis' : 'compareOther')),
            h('td', {}, sideName(store, side)),
            h('td', { class: 'number' }, t('nats', fixed(change[side]))),
          ),
        ),
      ),
    ),
    h(
      'dl',
      { class: 'numbers' },
      ...row(t('compareSaturation'), percent(all.saturation), t('loadChance', percent(all.chanceSaturation))),
      ...row(t('compareFlipped'), percent(all.flipped)),
      ...row(t('compareJs'), Number.isFinite(all.divergence) ? t('bits', fixed(all.divergence, 3)) : '–'),
      ...row(t('compareLogProb'), t('nats', signed(change.other - change.main, 3))),
      ...row(t('compareAligned'), t('of', same, alignment.same.length)),
    ),
    layers.length > 0 &&
      figure(store, {
        name: 'compareByLayer',
        title: t('compareByLayer'),
        caption: t('compareByLayerCaption'),
        chart: () =>
          lines([{ values: shares, class: 'main' }], {
            reference: all.chanceSaturation,
            first: layers[0] ?? 0,
          }),
        table: () => ({
          head: [t('layerHead'), t('compareSaturation'), t('compareJs')],
          rows: layers.map((layer, i) => [String(layer), percent(shares[i]!), fixed(byLayer[i]!.divergence, 3)]),
        }),
      }),
    usageFigure(store, main, found),
    most(store, main, found, logProb),
    button(t('compareStop'), {
      press: () => {
        store.send({ type: 'closeCompare' });
      },
      'data-focus': 'compare-stop',
    }),
  );
}

export function sideName(store: Store, side: 'main' | 'other'): string {
  const state = store.sides[side];
  if (!state) return '';
  // Of the run that is seen: while another is asked for, the former stays on show.
  const { strategy, interventions } = state.trace ?? state;
  const parts = [state.title, strategyName(strategy.name), interventions.length > 0 ? t('tab_whatIf') : ''];
  // A run under another strategy has its strategy for a title.
  return [...new Set(parts)].filter(Boolean).join(' · ');
}

function usageFigure(store: Store, main: Trace, { experts, usage }: Difference): HTMLElement {
  const known = experts.map((_, i) => i).filter((i) => i < main.experts.length);
  return figure(store, {
    name: 'compareUsage',
    title: t('compareUsage'),
    chart: () =>
      bars(
        main,
        known.map((e) => ({ expert: e, value: usage[e]!, text: signed(usage[e]! * 100, 1) })),
        0.02,
      ),
    table: () => ({
      head: [t('expert'), t('compareUsage')],
      rows: experts.map(({ name }, e) => [name, signed(usage[e]! * 100, 1)]),
    }),
  });
}

/** The tokens whose choices differ most; pressing one goes there. */
function most(
  store: Store,
  main: Trace,
  { alignment, flips, modules }: Difference,
  logProb: Float32Array,
): HTMLElement {
  const columns = alignment.a.length;
  const list = Array.from({ length: columns }, (_, c) => {
    let changed = 0;
    if (alignment.same[c]) for (let m = 0; m < modules.length; m++) if (flips[m * columns + c]! > 0) changed++;
    return { token: alignment.a[c]!, share: changed / modules.length, change: logProb[c]! };
  })
    .filter(({ token, share }) => token >= 0 && share > 0)
    .sort((a, b) => b.share - a.share)
    .slice(0, 12);
  return h(
    'section',
    { class: 'figure' },
    h('header', {}, h('h3', {}, t('compareMost'))),
    h(
      'table',
      {},
      h('caption', { class: 'unseen' }, t('compareMost')),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          h('th', { scope: 'col' }, t('tokenHead')),
          h('th', { scope: 'col', class: 'number' }, t('compareDiffering')),
          h('th', { scope: 'col', class: 'number' }, t('compareLogProbChange')),
        ),
      ),
      h(
        'tbody',
        {},
        ...list.map(({ token, share, change }) =>
          h(
            'tr',
            {},
            h(
              'th',
              { scope: 'row' },
              button(h('code', {}, tokenLabel(main, token)), {
                press: () => {
                  store.select({ token });
                },
                class: 'link',
                'data-focus': `most-${token}`,
              }),
            ),
            h('td', { class: 'number' }, percent(share)),
            h('td', { class: 'number' }, signed(change)),
          ),
        ),
      ),
    ),
  );
}

/** What to compare with; the host runs it and sends the other side. */
function start(store: Store): HTMLElement {
  const reason = runReason(store);
  const main = store.sides.main;
  const strategies = (store.pool?.strategies ?? []).filter((name) => name !== main?.strategy.name);
  // Of those that choose experts themselves, for only their choices can differ more here and less there.
  const choosing = strategies.find((name) => ['phatgoose', 'average-activation', 'arrow'].includes(name));
  const chosen = strategies.find((name) => name === store.view.compareWith) ?? choosing ?? strategies[0];
  const compare = (selection: 'same' | 'editor', strategy: Strategy | undefined): void => {
    if (strategy)
      store.send({
        type: 'compare',
        strategy,
        interventions: selection === 'editor' ? (main?.interventions ?? []) : [],
        selection,
      });
  };
  return h(
    'div',
    { class: 'form' },
    h('p', { class: 'hint' }, t('compareNone')),
    h('h3', {}, t('compareStart')),
    chosen !== undefined &&
      h(
        'div',
        { class: 'formRow' },
        h('span', {}, t('compareSame')),
        select(
          t('compareWith'),
          chosen,
          strategies.map((name): [string, string] => [name, strategyName(name)]),
          (value) => {
            store.set({ compareWith: value as StrategyName });
          },
          { 'data-focus': 'compare-with' },
        ),
        button(t('compareNow'), {
          press: () => {
            compare('same', strategyOf(chosen, store, main?.strategy));
          },
          primary: true,
          reason,
          'data-focus': 'compare-now',
        }),
      ),
    h(
      'div',
      { class: 'formRow' },
      button(t('compareEditor'), {
        press: () => {
          compare('editor', main?.strategy);
        },
        reason,
        'data-focus': 'compare-editor',
      }),
    ),
    main !== undefined &&
      main.interventions.length > 0 &&
      h(
        'div',
        { class: 'formRow' },
        button(t('compareWithout'), {
          press: () => {
            compare('same', main.strategy);
          },
          reason,
          'data-focus': 'compare-without',
        }),
      ),
    reason !== undefined && h('p', { class: 'faint' }, reason),
  );
}
