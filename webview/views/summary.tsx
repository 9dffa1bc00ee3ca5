/** The whole run in a few charts, with what chance would give beside each. */
import { layersOf, textTokens } from '../src/trace/access.js';
import { isSmallSample, usageIntervals, type Interval } from '../src/trace/bootstrap.js';
import { entropyByLayer } from '../src/trace/distribution.js';
import {
  leastOccurrences,
  mostAttracted,
  vocabularySpecialisation,
  type Vocabulary,
} from '../src/trace/specialisation.js';
import type { Trace } from '../src/trace/trace.js';
import { chanceLoad, coactivation, load, usageByLayer, type Coactivation, type Usage } from '../src/trace/usage.js';
import { bars, heat, lines } from './charts.js';
import { button, h, replace, select } from './dom.js';
import { figure } from './figure.js';
import { usageOf } from './legend.js';
import type { Store } from './store.js';
import { fixed, percent, t, whole } from './strings.js';
import { visible } from '../src/trace/label.js';

/** Each number is worked out when first asked for: the first view needs usage only, and must not wait for the rest. */
class Sums {
  private readonly made = new Map<string, unknown>();

  constructor(private readonly trace: Trace) {}

  get usage(): Usage {
    return usageOf(this.trace);
  }

  get intervals(): readonly Interval[] {
    return this.once('intervals', () => usageIntervals(this.trace));
  }

  get byLayer(): readonly Usage[] {
    return this.once('byLayer', () => usageByLayer(this.trace));
  }

  get together(): Coactivation {
    return this.once('together', () => coactivation(this.trace));
  }

  get entropy(): Float32Array | undefined {
    return this.trace.affinity && this.once('entropy', () => entropyByLayer(this.trace));
  }

  get vocabulary(): Vocabulary {
    return this.once('vocabulary', () => vocabularySpecialisation([this.trace]));
  }

  private once<T>(name: string, make: () => T): T {
    if (!this.made.has(name)) this.made.set(name, make());
    return this.made.get(name) as T;
  }
}

const kept = new WeakMap<Trace, Sums>();

function sums(trace: Trace): Sums {
  let found = kept.get(trace);
  if (!found) kept.set(trace, (found = new Sums(trace)));
  return found;
}

export function drawSummary(root: HTMLElement, store: Store): void {
  const trace = store.main;
  if (!trace || trace.done === 0) {
    replace(root, h('p', { class: 'hint' }, t('summaryNone')));
    return;
  }
  const tokens = textTokens(trace).length;
  if (tokens === 0) {
    replace(root, h('p', { class: 'hint' }, t('smallNone')));
    return;
  }
  const all = sums(trace);
  replace(
    root,
    isSmallSample(tokens) && h('p', { class: 'warning', role: 'note' }, t('small', tokens)),
    usageFigure(store, trace),
    loadNumbers(trace, all.usage),
    layersFigure(store, trace, all),
    all.entropy && entropyFigure(store, trace, all.entropy),
    trace.k > 1 ? togetherFigure(store, trace, all.together) : h('p', { class: 'hint' }, t('coactivationOne')),
    attractedFigure(store, trace, all),
  );
}

export function usageFigure(store: Store, trace: Trace): HTMLElement {
  const all = sums(trace);
  const { usage } = all;
  // Of half a run they say little, and take long to work out.
  const intervals = store.sides.main?.affinitiesFollow ? undefined : all.intervals;
  const order = [...usage.share.keys()].sort((a, b) => usage.share[b]! - usage.share[a]! || a - b);
  const range = ({ low, high }: Interval) => `${percent(low)} – ${percent(high)}`;
  return figure(store, {
    name: 'usage',
    title: t('usage'),
    caption: t('usageCaption'),
    chart: () =>
      bars(
        trace,
        order.map((e) => ({
          expert: e,
          value: usage.share[e]!,
          text: percent(usage.share[e]!),
          reference: usage.chance[e]!,
          ...intervals?.[e],
        })),
        0.1,
        (e) => {
          store.setFilter({ experts: [trace.experts[e]!.id] });
        },
      ),
    table: () => ({
      head: [t('expert'), t('share'), t('interval'), t('chance'), t('usageRow')],
      rows: order.map((e) => [
        trace.experts[e]!.name,
        percent(usage.share[e]!),
        intervals ? range(intervals[e]!) : '–',
        percent(usage.chance[e]!),
        whole(usage.counts[e]!),
      ]),
    }),
  });
}

function loadNumbers(trace: Trace, usage: Usage): HTMLElement {
  const now = load(usage.share);
  const chance = chanceLoad(usage);
  const dead = now.dead.map((e) => trace.experts[e]!.name);
  const row = (name: string, value: string, beside?: string, hint?: string) => [
    h('dt', hint === undefined ? {} : { title: hint }, name),
    h('dd', {}, value, beside !== undefined && h('span', { class: 'faint' }, ` ${beside}`)),
  ];
  return h(
    'section',
    { class: 'figure' },
    h('header', {}, h('h3', {}, t('loadTitle'))),
    h(
      'dl',
      { class: 'numbers' },
      ...row(
        t('loadEffective'),
        t('of', fixed(now.effective, 1), trace.experts.length),
        t('loadChance', fixed(chance.effective, 1)),
        t('loadEffectiveHint'),
      ),
      ...row(t('loadCv'), fixed(now.cv), t('loadChance', fixed(chance.cv))),
      ...row(t('loadMax'), fixed(now.maxOverMean)),
      ...row(t('loadEntropy'), fixed(now.entropyRatio), t('loadChance', fixed(chance.entropyRatio))),
      ...row(t('loadDead'), dead.length > 0 ? dead.join(', ') : t('none')),
    ),
  );
}

function layersFigure(store: Store, trace: Trace, { byLayer }: Sums): HTMLElement {
  const layers = layersOf(trace).map(String);
  const columns = trace.experts.map(({ name }, expert) => ({ expert, title: name }));
  return figure(store, {
    name: 'usageByLayer',
    title: t('usageByLayer'),
    caption: t('usageByLayerCaption'),
    chart: () =>
      heat(
        byLayer.map(({ share }) => share),
        layers,
        columns,
        { text: percent, cellHeight: layers.length > 12 ? 9 : 14 },
      ),
    table: () => ({
      head: [t('layerHead'), ...trace.experts.map(({ name }) => name)],
      rows: byLayer.map(({ share }, i) => [layers[i]!, ...Array.from(share, percent)]),
    }),
  });
}

function entropyFigure(store: Store, trace: Trace, entropy: Float32Array): HTMLElement {
  const layers = layersOf(trace);
  return figure(store, {
    name: 'entropy',
    title: t('entropyTitle'),
    caption: t('entropyCaption'),
    chart: () => lines([{ values: entropy, class: 'main' }], { reference: 1, first: layers[0] ?? 0 }),
    table: () => ({
      head: [t('layerHead'), t('entropy')],
      rows: layers.map((layer, i) => [String(layer), fixed(entropy[i]!)]),
    }),
  });
}

function togetherFigure(store: Store, trace: Trace, { share, chance }: Coactivation): HTMLElement {
  const n = trace.experts.length;
  // An expert is always chosen together with itself: that says nothing and would outshine the rest.
  const rows = Array.from({ length: n }, (_, a) =>
    Array.from({ length: n }, (_, b) => (a === b ? NaN : share[a * n + b]!)),
  );
  const names = trace.experts.map(({ name }) => name);
  return figure(store, {
    name: 'coactivation',
    title: t('coactivation'),
    caption: t('coactivationCaption', percent(chance)),
    chart: () =>
      heat(
        rows,
        names,
        names.map((title, expert) => ({ expert, title })),
        { text: percent, cellHeight: 14, rowExperts: true },
      ),
    table: () => ({ head: [t('expert'), ...names], rows: rows.map((row, a) => [names[a]!, ...row.map(percent)]) }),
  });
}

function attractedFigure(store: Store, trace: Trace, { vocabulary, usage }: Sums): HTMLElement {
  const most = usage.share.indexOf(Math.max(...usage.share));
  const expert = trace.experts[store.view.attracted] ? store.view.attracted : most;
  const list = mostAttracted(vocabulary, expert);
  const firstOf = (id: number) => trace.tokens.ids.indexOf(id);
  const link = (id: number, text: string) =>
    button(h('code', {}, visible(text)), {
      press: () => {
        store.select({ token: firstOf(id) });
      },
      class: 'link',
      'data-focus': `attracted-${id}`,
    });
  return h(
    'section',
    { class: 'figure', 'data-figure': 'attracted' },
    h(
      'header',
      {},
      h('h3', {}, t('attracted')),
      select(
        t('attractedOf'),
        String(expert),
        trace.experts.map(({ name }, e): [string, string] => [String(e), name]),
        (value) => {
          store.set({ attracted: Number(value) });
        },
        { 'data-focus': 'attracted' },
      ),
    ),
    h('p', { class: 'caption' }, t('attractedCaption', leastOccurrences, percent(vocabulary.chance))),
    list.length === 0
      ? h('p', { class: 'hint' }, t('attractedNone'))
      : h(
          'table',
          { class: 'attracted' },
          h('caption', { class: 'unseen' }, `${t('attractedOf')} ${trace.experts[expert]!.name}`),
          h(
            'thead',
            {},
            h(
              'tr',
              {},
              h('th', { scope: 'col' }, t('attracted')),
              h('th', { scope: 'col' }, t('share')),
              h('th', { scope: 'col' }, t('occurrences')),
            ),
          ),
          h(
            'tbody',
            {},
            ...list.map(({ id, text, share, count }) =>
              h(
                'tr',
                {},
                h('th', { scope: 'row' }, link(id, text)),
                h('td', {}, percent(share)),
                h('td', {}, t('times', count)),
              ),
            ),
          ),
        ),
  );
}
