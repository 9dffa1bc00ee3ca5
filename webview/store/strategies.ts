/** How experts are chosen: what a source offers, and what a run was asked for. */
import type { Strategy, StrategyOffer } from '../../src/strategies/strategy.js';
import { strategyName, t } from '../look/strings.js';
import type { Store } from './store.js';

export function offers(store: Store): readonly StrategyOffer[] {
  return store.description.value?.can.strategies ?? [];
}

/** A saved trace may use a strategy that is not offered here; it is still shown by its name. */
export function strategyTitle(store: Store, name: string | undefined): string {
  if (name === undefined) return '';
  return offers(store).find((offer) => offer.name === name)?.title ?? strategyName(name);
}

/** With its parameters. @param expertName by its id */
export function fullTitle(store: Store, { name, k, expert }: Strategy, expertName: (id: string) => string): string {
  const title = strategyTitle(store, name);
  if (k !== undefined) return t('expertsPerToken', title, k);
  return expert === undefined ? title : `${title}: ${expertName(expert)}`;
}

/** A strategy with its parameters filled in, as close to the current one as possible. */
export function filledIn(store: Store, name: string, now?: Strategy): Strategy {
  const { experts, limits } = store.description.value ?? { experts: [], limits: {} };
  const takes = offers(store).find((offer) => offer.name === name)?.takes ?? [];
  const expert = (now?.name === name ? now.expert : undefined) ?? experts[0]?.id;
  return {
    name,
    ...(takes.includes('k') && { k: now?.k ?? limits.k ?? 2 }),
    ...(takes.includes('expert') && expert !== undefined && { expert }),
  };
}

/** Those that choose experts by their scores: only with these can runs differ more in some places than in others. */
export function choosing(store: Store): readonly StrategyOffer[] {
  return offers(store).filter(({ takes }) => takes.includes('k'));
}

/** Whether the model routes by its own router, of which at most k can be changed. */
export function routesItself(store: Store): boolean {
  const can = store.description.value?.can;
  return can !== undefined && (can.strategies.length === 0 || can.k !== undefined);
}

/** A line about what a strategy does. */
export function strategyHint(store: Store, name: string): string | undefined {
  return routesItself(store) ? t('strategyNative') : offers(store).find((offer) => offer.name === name)?.hint;
}

/** The model of the main run and the one that was chosen since; undefined if it is the same. */
export function chosenSince({
  main,
  description,
}: Store): { readonly ran: string; readonly chosen: string } | undefined {
  const [ran, chosen] = [main.model.value, description.value?.name];
  return ran === undefined || chosen === undefined || ran === chosen ? undefined : { ran, chosen };
}

/** What the main run was asked for; if the model routes by its own router, that one. */
export function present(store: Store): Strategy | undefined {
  const [router, asked] = [store.main.choices.value?.router, store.main.strategy.value];
  if (chosenSince(store) && router)
    return asked?.name === router.name ? asked : { name: router.name, ...(router.k !== undefined && { k: router.k }) };
  if (!routesItself(store)) return asked;
  return router && { name: offers(store)[0]?.name ?? router.name, ...(router.k !== undefined && { k: router.k }) };
}

export function kReason(store: Store): string | undefined {
  const k = store.description.value?.can.k;
  return k === undefined || k === true ? undefined : k.reason;
}
