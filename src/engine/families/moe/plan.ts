import type { Warning } from '../../../requests/description.js';
import type { Choosable, Tap } from '../../../graph/moe/tap.js';
import type { EightBits } from '../../../graph/rounded.js';
import type { Router } from '../../../graph/moe/routers.js';
import { layerExperts } from '../../../trace/model/layerExperts.js';
import type { ExpertSet, RoutedModule } from '../../../trace/model/trace.js';

/** A router in a composed graph, and the names of the graph's outputs for it. */
export interface TappedRouter extends Pick<Router, 'path' | 'layer' | 'experts' | 'k'> {
  readonly tap: Tap;
  /** Absent if k is fixed by the model. */
  readonly choosable?: Choosable;
}

/** What must be known of a composed graph besides the graph itself. */
export interface Plan {
  /** All routers of the graph, sorted by layer. */
  readonly routers: readonly TappedRouter[];
  /** How the routers turn scores into a distribution, if all agree. */
  readonly scoring?: 'softmax' | 'sigmoid';
  readonly warnings: readonly Warning[];
  readonly eightBits: EightBits;
}

export function setsOf({ routers }: Plan): ExpertSet[] {
  const names = routerNames(routers);
  return routers.map(({ layer, experts, tap }, i) => ({
    scope: 'layer',
    experts: layerExperts(layer, experts, names[i]),
    ...(tap.shared !== undefined && {
      sharedExperts: [{ id: `${layer}.shared`, name: `Layer ${layer} shared expert` }],
    }),
  }));
}

export function modulesOf({ routers }: Plan): RoutedModule[] {
  const names = routerNames(routers);
  return routers.map(({ path, layer }, i) => ({ path, layer, kind: names[i] ?? 'router', sequence: 0, expertSet: i }));
}

/** Names for the routers of a layer with several (JetMoE), after the modules that they are in; undefined for a single router. */
function routerNames(routers: readonly Pick<Router, 'path' | 'layer'>[]): (string | undefined)[] {
  return routers.map((router) => {
    const all = routers.filter(({ layer }) => layer === router.layer);
    return all.length > 1 ? (moduleOf(router.path, all) ?? `router${all.indexOf(router) + 1}`) : undefined;
  });
}

/** The first segment of a path, after the layer, that differs between all of these: `mlp`, `self_attention`. */
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

/** The largest k of any router. */
export function nativeK({ routers }: Plan): number {
  return Math.max(...routers.map(({ k }) => k));
}

/** Whether all routers accept another k. */
export function takesK({ routers }: Plan): boolean {
  return routers.every(({ choosable }) => choosable !== undefined);
}

/** The largest k that any router accepts. */
export function mostK({ routers }: Plan): number {
  return Math.max(...routers.map(({ k, choosable }) => choosable?.mostK ?? k));
}

/** The largest k for routers that choose within groups: the groups have no more experts. Undefined if no router does. */
export function groupsHold({ routers }: Plan): number | undefined {
  const bounds = routers.flatMap(({ choosable, experts }) =>
    choosable && choosable.mostK < experts ? [choosable.mostK] : [],
  );
  return bounds.length > 0 ? Math.max(...bounds) : undefined;
}

/** The plan with routers that choose k experts each, or as many as they can. */
export function planWith(plan: Plan, k: number): Plan {
  const routers = plan.routers.map((router) => ({ ...router, k: Math.min(k, router.choosable?.mostK ?? router.k) }));
  return { ...plan, routers };
}
