/** The experts by colour, pattern, letter and name; pressing one shows only its choices. */
import { usage, type Usage } from '../src/trace/usage.js';
import type { Trace } from '../src/trace/trace.js';
import { button, h, replace } from './dom.js';
import type { Store } from './store.js';
import { percent, t } from './strings.js';
import { look } from './theme.js';

const kept = new WeakMap<Trace, Usage>();

export function usageOf(trace: Trace): Usage {
  let found = kept.get(trace);
  if (!found) kept.set(trace, (found = usage(trace)));
  return found;
}

/** A letter on the expert's colour over its band. */
export function badge(expert: number): HTMLElement {
  return h('span', { class: `badge x${expert}`, 'aria-hidden': 'true' }, look(expert).letter);
}

export function expertLabel(trace: Trace, expert: number): HTMLElement {
  return h(
    'span',
    { class: 'expert' },
    badge(expert),
    h('span', { class: 'name' }, trace.experts[expert]?.name ?? t('none')),
  );
}

export function mountLegend(root: HTMLElement, store: Store): void {
  root.setAttribute('role', 'group');
  root.setAttribute('aria-label', t('legend'));
  store.on(['main', 'filter', 'pool'], () => {
    const trace = store.main;
    root.hidden = !trace;
    if (!trace) return;
    const { share } = usageOf(trace);
    const chosen = store.view.filter.experts;
    // A card is asked of a pool that is here, not of a saved trace.
    const only =
      chosen.length === 1
        ? store.pool?.experts.find(({ id, card }) => id === chosen[0] && card !== undefined)
        : undefined;
    replace(
      root,
      ...trace.experts.map((expert, e) => {
        const on = chosen.includes(expert.id);
        return button(
          h(
            'span',
            { class: 'expert' },
            badge(e),
            h('span', { class: 'name' }, expert.name),
            h('span', { class: 'share' }, percent(share[e]!)),
          ),
          {
            press: () => {
              store.setFilter({ experts: on ? chosen.filter((id) => id !== expert.id) : [...chosen, expert.id] });
            },
            class: `chip ${chosen.length > 0 && !on ? 'off' : ''}`,
            'aria-pressed': on,
            title: t('legendShare', expert.name, percent(share[e]!)),
            'data-focus': `legend-${expert.id}`,
          },
        );
      }),
      only !== undefined &&
        button(t('openCard'), {
          press: () => {
            store.send({ type: 'openCard', expert: only.id });
          },
          class: 'link',
          'data-focus': 'legend-card',
        }),
      chosen.length > 0 &&
        button(t('showAll'), {
          press: () => {
            store.setFilter({ experts: [] });
          },
          class: 'link',
          'data-focus': 'legend-all',
        }),
    );
  });
}
