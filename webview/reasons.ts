/** Why something cannot be done now, in words; undefined when it can. */
import type { Store } from './store.js';
import { t } from './strings.js';

export function runReason(store: Store): string | undefined {
  if (store.replay) return t('needsRun');
  if (!store.pool) return t('needsPool');
  if (!store.sides.main) return t('needsTrace');
  if (store.running) return t('busy');
  return undefined;
}

export function traceReason(store: Store): string | undefined {
  if (!store.main) return t('needsTrace');
  // What is saved would lack them, and nobody would know.
  return store.sides.main?.affinitiesFollow ? t('busy') : undefined;
}
