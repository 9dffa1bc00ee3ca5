import type { Side } from '../../src/protocol/panel.js';
import type { SideSignals } from './side.js';
import type { Store } from './store.js';
import { t } from '../look/strings.js';
import { strategyTitle } from './strategies.js';

/** The model of the main run and the one that was chosen since; undefined if it is the same. */
export function chosenSince({
  main,
  description,
}: Store): { readonly ran: string; readonly chosen: string } | undefined {
  const [ran, chosen] = [main.model.value, description.value?.name];
  return ran === undefined || chosen === undefined || ran === chosen ? undefined : { ran, chosen };
}

/** The models of the two runs, for what is said of both. */
export function modelNames(store: Store): [main: string, other: string] {
  const of = ({ model, choices }: SideSignals) => model.value ?? choices.value?.source.name ?? '';
  return [of(store.main), of(store.other)];
}

/** Why nothing of two runs can be compared, and what helps; undefined if something can. */
export function incomparable(store: Store): string | undefined {
  const { other, changes, running, areStrangers } = store;
  // The first tokens may still be to come.
  if (!other.trace.value || running.value || !changes.value?.every(({ value }) => value.every(Number.isNaN)))
    return undefined;
  const since = chosenSince(store);
  return [
    areStrangers.value ? t('compareNothing', ...modelNames(store)) : t('compareNoTokens'),
    since && t('compareAgain', since.chosen),
  ]
    .filter(Boolean)
    .join(' ');
}

/** A run's name: its title, strategy and what-if. It is that of the run on show, which stays there while another is being computed. */
export function sideName(store: Store, name: Side): string {
  const side = store.side(name);
  const trace = side.choices.value;
  const strategy = trace?.router.name ?? side.strategy.value?.name;
  const interventions = trace?.interventions ?? side.interventions.value;
  const parts = [side.title.value, strategyTitle(store, strategy), interventions.length > 0 ? t('tab_whatIf') : ''];
  // A run with another strategy has the strategy as its title.
  return [...new Set(parts)].filter(Boolean).join(' · ');
}
