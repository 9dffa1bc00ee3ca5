import type { Side } from '../../src/protocol/panel.js';
import type { Store } from './store.js';
import { t } from '../look/strings.js';
import { strategyTitle } from '../header/strategy.js';

/** A run by its title, strategy and what-if. Of the run that is seen: while another is asked for, the former stays on show. */
export function sideName(store: Store, name: Side): string {
  const side = store.side(name);
  const trace = side.choices.value;
  const strategy = trace?.router.name ?? side.strategy.value?.name;
  const interventions = trace?.interventions ?? side.interventions.value;
  const parts = [side.title.value, strategyTitle(store, strategy), interventions.length > 0 ? t('tab_whatIf') : ''];
  // A run under another strategy has its strategy for a title.
  return [...new Set(parts)].filter(Boolean).join(' · ');
}
