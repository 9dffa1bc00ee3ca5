/** The module axis of a pool's traces, from the paths of what its experts adapt. */
import type { Site } from '../../../graph/find.js';
import type { Module } from './plan.js';

/** The kinds of a Llama block, in the order in which the model computes them. */
const kinds: readonly string[] = ['q', 'k', 'v', 'o', 'gate', 'up', 'down'];

/** By layer, then by kind in the order of a Llama block, others after those by name. */
export function moduleAxis(sites: readonly Site[]): Module[] {
  const rank = (kind: string) => (kinds.indexOf(kind) + kinds.length + 1) % (kinds.length + 1);
  return sites
    .map(({ path }) => ({ path, layer: layerOf(path), kind: kindOf(path) }))
    .sort((a, b) => a.layer - b.layer || rank(a.kind) - rank(b.kind) || (a.path < b.path ? -1 : 1));
}

function layerOf(path: string): number {
  return Number(/\.(\d+)\./.exec(path)?.[1] ?? -1);
}

function kindOf(path: string): string {
  const last = path.split('.').at(-1)!;
  const kind = last.replace(/_proj$/, '');
  return kinds.includes(kind) ? kind : last;
}
