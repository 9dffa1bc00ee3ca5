import type { Warning } from '../../../shared/source.js';
import type { Choosable, Tap } from '../../../graph/moe/tap.js';
import type { EightBits } from '../../../graph/rounded.js';
import type { Router } from '../../../graph/moe/routers.js';
import { layerExperts } from '../../../trace/layerExperts.js';
import type { ExpertSet, Site } from '../../../trace/trace.js';

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
  return routers.map(({ layer, experts, tap }) => ({
    scope: 'layer',
    experts: layerExperts(layer, experts),
    ...(tap.shared !== undefined && { alwaysOn: [{ id: `${layer}.shared`, name: `Layer ${layer} shared expert` }] }),
  }));
}

export function sitesOf({ routers }: Plan): Site[] {
  return routers.map(({ path, layer }, i) => ({ path, layer, kind: 'router', sequence: 0, expertSet: i }));
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

/** With routers that choose k each, or as many as they can. */
export function planWith(plan: Plan, k: number): Plan {
  const routers = plan.routers.map((router) => ({ ...router, k: Math.min(k, router.choosable?.mostK ?? router.k) }));
  return { ...plan, routers };
}
