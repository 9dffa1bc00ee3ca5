import type { Warning } from '../../../requests/description.js';
import type { Choosable, Tap } from '../../../graph/moe/tap.js';
import type { EightBits } from '../../../graph/rounded.js';
import type { Router } from '../../../graph/moe/routers.js';
import { layerExperts } from '../../../trace/model/layerExperts.js';
import type { ExpertSet, Site } from '../../../trace/model/trace.js';

/** A router in a composed graph, and the names of what the graph tells of it. */
export interface TappedRouter extends Pick<Router, 'path' | 'layer' | 'experts' | 'k'> {
  readonly tap: Tap;
  /** Absent where k is the model's own. */
  readonly choosable?: Choosable;
}

/** What the composed graph is, beside the graph itself. */
export interface Plan {
  /** By layer; as many as the graph has. */
  readonly routers: readonly TappedRouter[];
  /** How all of them make a distribution of scores, if they agree. */
  readonly scoring?: 'softmax' | 'sigmoid';
  readonly warnings: readonly Warning[];
  readonly eightBits: EightBits;
}

export function setsOf({ routers }: Plan): ExpertSet[] {
  const names = routerNames(routers);
  return routers.map(({ layer, experts, tap }, i) => ({
    scope: 'layer',
    experts: layerExperts(layer, experts, names[i]),
    ...(tap.shared !== undefined && { alwaysOn: [{ id: `${layer}.shared`, name: `Layer ${layer} shared expert` }] }),
  }));
}

export function sitesOf({ routers }: Plan): Site[] {
  const names = routerNames(routers);
  return routers.map(({ path, layer }, i) => ({ path, layer, kind: names[i] ?? 'router', sequence: 0, expertSet: i }));
}

/** What a layer's routers are called where it has several (JetMoE): by the modules that they are in. Undefined for one alone. */
function routerNames(routers: readonly Pick<Router, 'path' | 'layer'>[]): (string | undefined)[] {
  return routers.map((router) => {
    const all = routers.filter(({ layer }) => layer === router.layer);
    return all.length > 1 ? (moduleOf(router.path, all) ?? `router${all.indexOf(router) + 1}`) : undefined;
  });
}

/** The first part of a path, after the layer, that all of these have and no two alike: `mlp`, `self_attention`. */
function moduleOf(path: string, all: readonly Pick<Router, 'path' | 'layer'>[]): string | undefined {
  const below = ({ path: name, layer }: Pick<Router, 'path' | 'layer'>) =>
    name.split('.').slice(name.split('.').indexOf(String(layer)) + 1);
  const parts = all.map(below);
  const own = parts[all.findIndex((one) => one.path === path)]!;
  const at = own.findIndex((_, i) => {
    const names = parts.map((one) => one[i]);
    return names.every((name) => /^[a-z_]\w*$/i.test(name ?? '')) && new Set(names).size === names.length;
  });
  return own[at];
}

/** The k of the router that chooses most. */
export function ownK({ routers }: Plan): number {
  return Math.max(...routers.map(({ k }) => k));
}

/** Whether all routers can be asked for another k. */
export function takesK({ routers }: Plan): boolean {
  return routers.every(({ choosable }) => choosable !== undefined);
}

/** The most that any router can be asked for. */
export function mostK({ routers }: Plan): number {
  return Math.max(...routers.map(({ k, choosable }) => choosable?.mostK ?? k));
}

/** The most that routers which choose within groups can be asked for: the groups hold no more. Undefined where none does. */
export function groupsHold({ routers }: Plan): number | undefined {
  const bounds = routers.flatMap(({ choosable, experts }) =>
    choosable && choosable.mostK < experts ? [choosable.mostK] : [],
  );
  return bounds.length > 0 ? Math.max(...bounds) : undefined;
}

/** With routers that choose k each, or as many as they can. */
export function planWith(plan: Plan, k: number): Plan {
  const routers = plan.routers.map((router) => ({ ...router, k: Math.min(k, router.choosable?.mostK ?? router.k) }));
  return { ...plan, routers };
}
