/** How likely the model found each token, what else it had in mind, and what a what-if did to that. */
import { predictionDivergence } from '../src/trace/difference.js';
import { tokenCount } from '../src/trace/access.js';
import type { Trace } from '../src/trace/trace.js';
import { lines } from './charts.js';
import { h, replace } from './dom.js';
import { figure, paged } from './figure.js';
import type { Store } from './store.js';
import { fixed, percent, small, t } from './strings.js';
import { tokenLabel, visible } from '../src/trace/label.js';

interface Alternative {
  readonly id: number;
  readonly text: string;
  readonly p: number;
}

/** What the model expects after token `at`, best first. */
function after(trace: Trace, at: number): Alternative[] {
  const { topIds, topLogProb, topTokens, predictions: P } = trace;
  if (!topIds || !topLogProb || at < 0 || at >= trace.done) return [];
  return Array.from({ length: P }, (_, i) => at * P + i)
    .filter((i) => topIds[i]! >= 0 && Number.isFinite(topLogProb[i]))
    .map((i) => ({ id: topIds[i]!, text: topTokens?.[i] ?? String(topIds[i]), p: Math.exp(topLogProb[i]!) }));
}

const pageSize = 60;
let page = 0;

export function drawPredictions(root: HTMLElement, store: Store): void {
  const trace = store.main;
  if (!trace?.logProb) {
    replace(root, h('p', { class: 'hint' }, t(trace ? 'predictionsNone' : 'needsTrace')));
    return;
  }
  const before = store.sides.main?.before;
  const token = store.view.selection.token >= 0 ? store.view.selection.token : trace.done - 1;
  const end = trace.done - 1;
  replace(
    root,
    ...(token > 0 && token < trace.done
      ? one(trace, before, token)
      : [h('p', { class: 'sentence' }, t('predictionFirst'))]),
    ...(end >= 0 ? ahead(trace, before, end) : []),
    overall(store, trace, before, token, () => {
      drawPredictions(root, store);
    }),
  );
}

/** The selected token among what the model had in mind. */
function one(trace: Trace, before: Trace | undefined, token: number): HTMLElement[] {
  const p = Math.exp(trace.logProb![token]!);
  const list = after(trace, token - 1);
  const rank = list.findIndex(({ id }) => id === trace.tokens.ids[token]);
  const sentences = [
    rank >= 0 ? t('predictionWas', percent(p), rank + 1) : t('predictionWasUnlisted', percent(p), list.length),
  ];
  if (before?.logProb) {
    sentences.push(t('predictionChange', percent(Math.exp(before.logProb[token]!))));
    sentences.push(t('predictionKl', fixed(predictionDivergence(before, token - 1, trace, token - 1), 3)));
  }
  return [
    h(
      'header',
      { class: 'detailTitle' },
      h('h2', {}, h('code', {}, tokenLabel(trace, token))),
      h('span', { class: 'faint' }, t('token', token + 1, tokenCount(trace))),
    ),
    h('p', { class: 'sentence' }, sentences.join(' ')),
    h('h3', {}, t('alternatives')),
    alternatives(list, before && after(before, token - 1), trace.tokens.ids[token]),
  ];
}

function ahead(trace: Trace, before: Trace | undefined, end: number): HTMLElement[] {
  const list = after(trace, end);
  return list.length > 0
    ? [h('h3', { class: 'nextTitle' }, t('nextToken')), alternatives(list, before && after(before, end), undefined)]
    : [];
}

/** Bars of probability; with a what-if the earlier ones beside them. A table, so that it is its own twin. */
function alternatives(
  list: readonly Alternative[],
  before: readonly Alternative[] | undefined,
  actual: number | undefined,
): HTMLElement {
  const was = new Map(before?.map(({ id, p }) => [id, p]));
  const gone = (before ?? [])
    .filter(({ id }) => !list.some((now) => now.id === id))
    .map(({ id, text }) => ({ id, text, p: NaN }));
  return h(
    'table',
    { class: 'alternatives' },
    h(
      'thead',
      { class: before ? '' : 'unseen' },
      h(
        'tr',
        {},
        h('th', { scope: 'col' }, t('tokenHead')),
        before && h('th', { scope: 'col', class: 'number' }, t('probabilityBefore')),
        h('th', { scope: 'col', class: 'number' }, t('probability')),
        h('td', {}),
      ),
    ),
    h(
      'tbody',
      {},
      ...[...list, ...gone].map(({ id, text, p }) => {
        const old = was.get(id);
        return h(
          'tr',
          { class: id === actual ? 'actual' : '' },
          h(
            'th',
            { scope: 'row' },
            h('code', {}, visible(text)),
            id === actual && h('span', { class: 'tag' }, t('actual')),
          ),
          before && h('td', { class: 'number faint' }, old === undefined ? '–' : percent(old)),
          h('td', { class: 'number' }, percent(p)),
          h(
            'td',
            { class: 'barCell', 'aria-hidden': 'true' },
            h('span', { class: 'plainBar', style: { width: `${Number.isFinite(p) ? p * 100 : 0}%` } }),
            old !== undefined && h('span', { class: 'oldBar', style: { left: `${old * 100}%` } }),
          ),
        );
      }),
    ),
  );
}

function overall(store: Store, trace: Trace, before: Trace | undefined, token: number, again: () => void): HTMLElement {
  const probability = (logProb: Float32Array | undefined) => Array.from(logProb ?? [], (x) => Math.exp(x));
  const count = tokenCount(trace);
  page = Math.min(page, Math.floor((count - 1) / pageSize) * pageSize);
  const rows = Array.from({ length: Math.min(pageSize, count - page) }, (_, i) => {
    const at = page + i;
    const best = after(trace, at - 1)[0];
    return [
      `${at + 1} ${tokenLabel(trace, at)}`,
      percent(Math.exp(trace.logProb![at]!)),
      ...(before?.logProb
        ? [
            percent(Math.exp(before.logProb[at]!)),
            small(at > 0 ? predictionDivergence(before, at - 1, trace, at - 1) : NaN),
          ]
        : []),
      best ? `${visible(best.text)} ${percent(best.p)}` : '–',
    ];
  });
  const view = figure(store, {
    name: 'surprise',
    title: t('surprise'),
    caption: `${t('surpriseCaption')}${before ? ` ${t('surpriseBefore')}` : ''}`,
    chart: () =>
      lines(
        [
          ...(before ? [{ values: probability(before.logProb), class: 'old' }] : []),
          { values: probability(trace.logProb), class: 'main' },
        ],
        {
          first: 1,
          selected: token,
          press: (i) => {
            store.select({ token: i });
          },
        },
      ),
    table: () => ({
      head: [
        t('tokenHead'),
        t('probability'),
        ...(before ? [t('probabilityBefore'), t('kl')] : []),
        t('topAlternatives'),
      ],
      rows,
    }),
  });
  const pager = store.view.tables.includes('surprise')
    ? paged(count, page, pageSize, (from) => {
        page = from;
        again();
      })
    : undefined;
  if (pager) view.append(pager);
  return view;
}
