/** Why something cannot be done now, in words; undefined if it can. */
import type { SourceDescription } from '../../src/requests/description.js';
import { t } from '../look/strings.js';
import type { Store } from './store.js';

type Doing = Exclude<keyof SourceDescription['can'], 'strategies' | 'k'>;

/** What the source cannot do at all. */
export function inability(store: Store, doing: Doing): string | undefined {
  const can = store.description.value?.can[doing];
  if (!can) return t(store.ready.value ? 'needsPool' : 'loading');
  return can === true ? undefined : can.reason;
}

export function reasonAgainst(store: Store, doing: Doing): string | undefined {
  const never = inability(store, doing);
  if (never !== undefined) return never;
  if (!store.main.isThere.value) return t('needsTrace');
  return store.running.value ? t('busy') : undefined;
}

export function traceReason(store: Store): string | undefined {
  if (!store.main.trace.value) return t('needsTrace');
  // The file would lack the scores, and nobody would notice.
  return store.main.scoresFollow.value ? t('busy') : undefined;
}
