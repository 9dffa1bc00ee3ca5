/** Which rows and cells the grid shows. Experts are filtered in the legend. */
import { kindsOf, layersOf } from '../src/trace/access.js';
import { button, h, number, replace, select } from './dom.js';
import type { Store } from './store.js';
import { fixed, kindName, t } from './strings.js';

const marginSteps = [0.02, 0.05, 0.1, 0.2, 0.5, 1];

export function mountFilter(root: HTMLElement, store: Store): void {
  root.setAttribute('role', 'group');
  root.setAttribute('aria-label', t('filter'));
  store.on(['main', 'affinities', 'filter', 'filterOpen'], () => {
    const trace = store.main;
    root.hidden = !store.view.filterOpen || !trace;
    if (root.hidden || !trace) return;
    const { filter } = store.view;
    const layers = layersOf(trace);
    const [first, last] = [layers[0] ?? 0, layers.at(-1) ?? 0];
    const [from, to] = filter.layers ?? [first, last];
    const range = { min: first, max: last, step: 1 };
    const kinds = kindsOf(trace);
    const setLayers = (a: number, b: number): void => {
      const [low, high] = a <= b ? [a, b] : [b, a];
      store.setFilter({ layers: low === first && high === last ? null : [low, high] });
    };
    replace(
      root,
      h(
        'span',
        { class: 'field' },
        t('layers'),
        number(
          t('filterFrom'),
          from,
          range,
          (n) => {
            setLayers(n, to);
          },
          { 'data-focus': 'filter-from' },
        ),
        '–',
        number(
          t('filterTo'),
          to,
          range,
          (n) => {
            setLayers(from, n);
          },
          { 'data-focus': 'filter-to' },
        ),
      ),
      h(
        'span',
        { class: 'segmented', role: 'group', 'aria-label': t('filterKinds') },
        ...kinds.map((kind) => {
          const on = filter.kinds.includes(kind);
          return button(kind, {
            press: () => {
              store.setFilter({
                kinds: on
                  ? filter.kinds.filter((x) => x !== kind)
                  : kinds.filter((x) => x === kind || filter.kinds.includes(x)),
              });
            },
            'aria-pressed': on,
            title: kindName(kind),
            'aria-label': `${kind}, ${kindName(kind)}`,
            'data-focus': `filter-${kind}`,
          });
        }),
      ),
      h(
        'label',
        { class: 'field' },
        t('filterWeight'),
        number(
          t('filterWeight'),
          filter.weight,
          { min: 0, max: 1, step: 0.05 },
          (weight) => {
            store.setFilter({ weight });
          },
          { 'data-focus': 'filter-weight' },
        ),
      ),
      (trace.affinity !== undefined || store.sides.main?.affinitiesFollow) &&
        h(
          'label',
          { class: 'field' },
          t('filterMargin'),
          select(
            t('filterMargin'),
            filter.margin === null ? '' : String(filter.margin),
            [['', t('filterMarginAny')], ...marginSteps.map((x): [string, string] => [String(x), fixed(x)])],
            (value) => {
              store.setFilter({ margin: value === '' ? null : Number(value) });
            },
            { 'data-focus': 'filter-margin' },
          ),
        ),
      button(t('filterReset'), {
        press: () => {
          store.clearFilter();
        },
        class: 'link',
        'data-focus': 'filter-reset',
      }),
    );
  });
}
