/** The chosen cell, layer or token: who leads, by how much, and how close it was; in bars and in words. */
import {
  affinitiesAt,
  chosenAt,
  contributionsAt,
  layersOf,
  routedK,
  textTokens,
  weightsAt,
} from '../src/trace/access.js';
import { certaintyAt, distribution } from '../src/trace/distribution.js';
import { ranked, tokenShares } from '../src/trace/leaders.js';
import { forcedAt, selectionScores } from '../src/trace/selection.js';
import type { Trace } from '../src/trace/trace.js';
import { bars } from './charts.js';
import { button, h, replace } from './dom.js';
import { figure } from './figure.js';
import { badge, expertLabel } from './legend.js';
import { choices } from './grid.js';
import type { Store } from './store.js';
import { fixed, kindName, percent, t } from './strings.js';
import { usageFigure } from './summary.js';
import { tokenLabel } from '../src/trace/label.js';

export function drawDetail(root: HTMLElement, store: Store): void {
  // A token that only the other run has is told of from there.
  const lone = store.other !== undefined && store.view.selection.token < 0 && store.lone >= 0;
  const trace = lone ? store.other : store.main;
  const token = store.tokenOf(lone ? 'other' : 'main');
  const module = store.moduleOf(lone ? 'other' : 'main');
  const { layer } = store.view.selection;
  if (!trace || token < 0) {
    replace(root, ...(trace ? howTo(store, trace) : [h('p', { class: 'hint' }, t('needsTrace'))]));
    return;
  }
  const where =
    module >= 0 ? t('layerKind', layer, kindName(trace.modules[module]!.kind)) : layer >= 0 ? t('layer', layer) : '';
  const title = h(
    'header',
    { class: 'detailTitle' },
    h('h2', {}, h('code', {}, tokenLabel(trace, token))),
    h(
      'span',
      { class: 'faint' },
      [lone ? t('compareOther') : '', t('token', token + 1, trace.tokens.ids.length), where]
        .filter(Boolean)
        .join(' · '),
    ),
    h('span', { class: 'spring' }),
    h(
      'span',
      { class: 'links' },
      module >= 0 &&
        button(t('backToLayer'), {
          press: () => {
            store.select({ module: -1 });
          },
          class: 'link',
          'data-focus': 'detail-layer',
        }),
      layer >= 0 &&
        button(t('backToToken'), {
          press: () => {
            store.select({ layer: -1, module: -1 });
          },
          class: 'link',
          'data-focus': 'detail-token',
        }),
    ),
  );
  if (token >= trace.done) replace(root, title, h('p', { class: 'hint' }, t('emptyRunning')));
  else if (module >= 0) replace(root, title, ...cell(store, trace, token, module));
  else replace(root, title, ...overview(store, trace, token, layer));
}

/** Before anything is selected: what one sees, and the whole run in one chart. */
function howTo(store: Store, trace: Trace): HTMLElement[] {
  return [
    h('h2', {}, t('howTitle')),
    h(
      'ul',
      { class: 'how' },
      h('li', {}, t('howText', trace.modules.length)),
      h('li', {}, t('howGrid')),
      h('li', {}, t('howSelect')),
    ),
    ...(textTokens(trace).length > 0 ? [usageFigure(store, trace)] : []),
  ];
}

/** One token over all modules, or over those of a layer. */
function overview(store: Store, trace: Trace, token: number, layer: number): (HTMLElement | undefined)[] {
  const filter = layer >= 0 ? { layer } : {};
  const modules = trace.modules.filter((m) => layer < 0 || m.layer === layer).length;
  const shares = tokenShares(trace, token, filter);
  const order = ranked(shares);
  const first = order[0];
  const sentence =
    first === undefined
      ? t('detailTokenNone')
      : layer < 0
        ? t('detailToken', modules, trace.experts[first]!.name, percent(shares[first]!))
        : t('detailLayer', modules, layer, trace.experts[first]!.name, percent(shares[first]!));
  return [
    h('p', { class: 'sentence' }, sentence),
    order.length > 0
      ? figure(store, {
          name: 'shares',
          title: t('shareOfWeight'),
          chart: () =>
            bars(
              trace,
              order.map((e) => ({
                expert: e,
                value: shares[e]!,
                text: percent(shares[e]!),
                reference: 1 / trace.experts.length,
              })),
              0.3,
            ),
          table: () => ({
            head: [t('expert'), t('shareOfWeight')],
            rows: order.map((e) => [trace.experts[e]!.name, percent(shares[e]!)]),
          }),
        })
      : undefined,
    layer < 0 ? byLayer(store, trace, token) : byModule(store, trace, token, layer),
  ];
}

/** A ladder: for each layer who leads, and how much of it. Pressing goes there. */
function byLayer(store: Store, trace: Trace, token: number): HTMLElement {
  const leaders = layersOf(trace).map((layer) => {
    const shares = tokenShares(trace, token, { layer });
    const e = ranked(shares)[0];
    return { layer, e, share: e === undefined ? 0 : shares[e]! };
  });
  return figure(store, {
    name: 'layers',
    title: t('byLayer'),
    chart: () =>
      h(
        'div',
        { class: 'ladder' },
        ...leaders.map(({ layer, e, share }) =>
          h(
            'span',
            {
              class: `rung ${e === undefined ? 'none' : `x${e}`}`,
              title: `${t('layerTitle', layer)}: ${e === undefined ? t('none') : `${trace.experts[e]!.name} ${percent(share)}`}`,
              on: {
                click: () => {
                  store.select({ layer, module: -1 });
                },
              },
            },
            h('span', { class: 'number' }, layer),
            e === undefined ? '–' : badge(e),
          ),
        ),
      ),
    table: () => ({
      head: [t('layerHead'), t('expert'), t('share')],
      rows: leaders.map(({ layer, e, share }) => [
        button(t('layerTitle', layer), {
          press: () => {
            store.select({ layer, module: -1 });
          },
          class: 'link',
          'data-focus': `ladder-${layer}`,
        }),
        e === undefined ? t('none') : trace.experts[e]!.name,
        percent(share),
      ]),
    }),
  });
}

function byModule(store: Store, trace: Trace, token: number, layer: number): HTMLElement {
  const rows = [...trace.modules.keys()].filter((m) => trace.modules[m]!.layer === layer);
  return h(
    'section',
    { class: 'figure' },
    h('header', {}, h('h3', {}, t('byModule'))),
    h(
      'table',
      { class: 'modules' },
      h(
        'thead',
        { class: 'unseen' },
        h('tr', {}, h('th', { scope: 'col' }, t('module')), h('th', { scope: 'col' }, t('chosen'))),
      ),
      h(
        'tbody',
        {},
        ...rows.map((m) => {
          const { kind } = trace.modules[m]!;
          const chosen = choices(trace, { layer, module: m, kind, modules: [m] }, token);
          return h(
            'tr',
            {},
            h(
              'th',
              { scope: 'row' },
              button(kindName(kind), {
                press: () => {
                  store.select({ layer, module: m });
                },
                class: 'link',
                'data-focus': `module-${kind}`,
              }),
            ),
            h(
              'td',
              {},
              ...chosen
                .slice(0, 4)
                .flatMap(([e, w]) => [expertLabel(trace, e), h('span', { class: 'value' }, fixed(w))]),
              chosen.length === 0 && t('none'),
            ),
          );
        }),
      ),
    ),
  );
}

function cell(store: Store, trace: Trace, token: number, m: number): (HTMLElement | undefined)[] {
  const { layer, kind } = trace.modules[m]!;
  const chosen = [...chosenAt(trace, m, token)];
  const weights = weightsAt(trace, m, token);
  const contributions = contributionsAt(trace, m, token);
  const scores = selectionScores(trace, m, token);
  const raw = affinitiesAt(trace, m, token);
  const certainty = certaintyAt(trace, m, token);
  const p = distribution(trace, m, token);
  const applied = chosen.map((e, i): [number, number] => [e, weights[i]!]).filter(([e]) => e >= 0);
  const named = (list: readonly (readonly [number, number])[]) =>
    list.map(([e, w]) => `${trace.experts[e]!.name} (${fixed(w)})`).join(', ');
  const sentences = [applied.length > 0 ? t('detailCell', layer, kindName(kind), named(applied)) : t('detailCellNone')];
  if (forcedAt(trace, m, token) >= 0) sentences.push(t('detailForced'));
  else if (routedK(trace.strategy) === undefined && raw) sentences.push(t('detailFixed'));
  if (Number.isFinite(certainty.margin))
    sentences.push(
      t(
        'detailMargin',
        fixed(certainty.margin),
        t(certainty.margin < 0.1 ? 'detailClose' : certainty.margin < 0.5 ? 'detailMedium' : 'detailClear'),
      ),
    );
  if (Number.isFinite(certainty.entropy))
    sentences.push(
      t(
        'detailEntropy',
        t(certainty.entropy < 0.6 ? 'detailPeaked' : certainty.entropy < 0.9 ? 'detailSpread' : 'detailEven'),
      ),
    );
  const before = store.sides.main?.before;
  if (before) {
    const was = choices(before, { layer, module: m, kind, modules: [m] }, token);
    sentences.push(sameSet(was, applied) ? t('detailWasSame') : t('detailWas', named(was) || t('none')));
  }

  const order = scores
    ? [...scores.keys()].filter((e) => !Number.isNaN(scores[e]!)).sort((a, b) => scores[b]! - scores[a]! || a - b)
    : [];
  const finite = order.filter((e) => scores![e]! > -Infinity);
  const lead = applied[0]?.[0];
  return [
    h('p', { class: 'sentence' }, sentences.join(' ')),
    h(
      'dl',
      { class: 'numbers' },
      ...pair(t('margin'), fixed(certainty.margin)),
      ...pair(t('entropy'), fixed(certainty.entropy)),
      ...pair(t('topMass'), percent(certainty.mass)),
      ...(contributions && lead !== undefined
        ? pair(
            t('contribution'),
            applied.map(([e], i) => `${trace.experts[e]!.name} ${percent(contributions[i]!)}`).join(', '),
            t('contributionHint'),
          )
        : []),
    ),
    scores
      ? figure(store, {
          name: 'affinities',
          title: t('affinities'),
          chart: () =>
            bars(
              trace,
              order.map((e) => {
                const at = chosen.indexOf(e);
                return {
                  expert: e,
                  value: Number.isFinite(scores[e]!) ? scores[e]! : 0,
                  text: Number.isFinite(scores[e]!) ? fixed(scores[e]!) : '−∞',
                  strong: at >= 0,
                  ...(at >= 0 ? { mark: `✓ ${fixed(weights[at]!)}` } : {}),
                };
              }),
              finite.length > 0 ? Math.max(0, scores[finite[0]!]!) : 1,
            ),
          table: () => ({
            head: [t('expert'), t('affinity'), t('share'), t('weight')],
            rows: order.map((e) => [
              trace.experts[e]!.name,
              fixed(raw?.[e] ?? NaN),
              percent(p?.[e] ?? NaN),
              chosen.includes(e) ? fixed(weights[chosen.indexOf(e)]!) : t('none'),
            ]),
          }),
        })
      : h('p', { class: 'hint' }, t(store.sides.main?.affinitiesFollow ? 'affinityLater' : 'affinityNone')),
    lead === undefined
      ? undefined
      : button(t('tryWhatIf'), {
          press: () => {
            store.set({
              tab: 'whatIf',
              whatIf: {
                ...store.view.whatIf,
                expert: trace.experts[lead]!.id,
                where: `module:${trace.modules[m]!.path}`,
                tokenOnly: true,
              },
            });
          },
          title: t('tryWhatIfHint', trace.experts[lead]!.name),
          'data-focus': 'detail-whatif',
        }),
  ];
}

function pair(name: string, value: string, hint?: string): HTMLElement[] {
  return [h('dt', hint === undefined ? {} : { title: hint }, name), h('dd', {}, value)];
}

function sameSet(a: readonly (readonly [number, number])[], b: readonly (readonly [number, number])[]): boolean {
  return a.length === b.length && a.every(([e]) => b.some(([f]) => f === e));
}
