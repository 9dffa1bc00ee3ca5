/** What-ifs in words. */
import type { Intervention, Trace } from '../../src/trace/trace.js';
import { tokenLabel } from '../../src/trace/label.js';
import type { Store } from '../app/store.js';
import { layerName, siteName } from '../look/names.js';
import { kindName, signed, t } from '../look/strings.js';

/** One intervention in words. */
export function say(intervention: Intervention, trace: Trace | undefined, name: (expert: string) => string): string {
  const { scope } = intervention;
  const where =
    scope.module !== undefined
      ? inSite(trace, scope.module)
      : scope.layer !== undefined
        ? t('inPlace', layerName({ layer: scope.layer, ...(scope.stack && { stack: scope.stack }) }))
        : scope.kind !== undefined
          ? t('inKind', kindName(scope.kind))
          : t('everywhere');
  const expert = name(intervention.expert);
  const what =
    intervention.action === 'knock-out'
      ? t('saidKnockOut', expert, where)
      : intervention.action === 'force'
        ? t('saidForce', expert, where)
        : t('saidTilt', expert, signed(intervention.amount, 1), where);
  if (scope.token === undefined) return what;
  const sequence = trace?.sequences[scope.sequence ?? 0];
  return t('saidToken', what, sequence ? tokenLabel(sequence, scope.token) : String(scope.token + 1));
}

export function inSite(trace: Trace | undefined, path: string): string {
  const site = trace?.sites.find((one) => one.path === path);
  return site ? t('inSite', siteName(site)) : path;
}

export function expertNames(store: Store): (id: string) => string {
  const sets = store.main.choices.value?.expertSets ?? [];
  const experts = [...sets.flatMap((set) => set.experts), ...(store.description.value?.experts ?? [])];
  return (id) => experts.find((expert) => expert.id === id)?.name ?? id;
}
