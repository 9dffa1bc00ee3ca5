import { h, replace } from './dom.js';
import type { Store } from './store.js';
import { t } from './strings.js';

/** What of the pool was left out or placed in part: one line that opens to the reasons. */
export function mountWarnings(root: HTMLElement, store: Store): void {
  store.on(['pool'], () => {
    const warnings = store.pool?.warnings ?? [];
    const list = h('ul', {}, ...warnings.map((warning) => h('li', {}, warning)));
    replace(
      root,
      warnings.length > 0 &&
        h('details', { class: 'warning' }, h('summary', {}, t('poolWarnings', warnings.length)), list),
    );
  });
}
