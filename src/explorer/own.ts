/** The tree for models in which each layer has its own experts: layers, their experts, the tokens that each expert took. */
import {
  chosenAt,
  type Layer,
  layersOf,
  rowsAt,
  type SharedSites,
  sharedSites,
  textTokens,
} from '../trace/model/access.js';
import { ranked } from '../trace/figures/leaders.js';
import type { Trace } from '../trace/model/trace.js';
import { type Usage, usage } from '../trace/figures/usage.js';
import { listedTokens, type Node } from './nodes.js';

export interface OwnLayer {
  readonly sites: SharedSites;
  readonly usage: Usage;
}

const known = new WeakMap<Trace, Map<string, OwnLayer | undefined>>();

/** Undefined if the text does not pass through the layer. */
export function ownLayer(trace: Trace, layer: Layer): OwnLayer | undefined {
  let kept = known.get(trace);
  if (!kept) known.set(trace, (kept = new Map<string, OwnLayer | undefined>()));
  const key = JSON.stringify(layer);
  if (!kept.has(key)) {
    const sites = sharedSites(trace, { ...layer, sequence: 0 });
    kept.set(key, sites && { sites, usage: usage(trace, sites) });
  }
  return kept.get(key);
}

export function ownLayers(trace: Trace): Node[] {
  return layersOf(trace, { sequence: 0 })
    .filter((layer) => ownLayer(trace, layer))
    .map((layer) => ({ kind: 'own-layer', layer }));
}

/** The experts that took a token, the most used first. */
export function ownExperts(trace: Trace, layer: Layer): Node[] {
  const counts = ownLayer(trace, layer)?.usage.counts ?? [];
  return ranked(counts).map((expert) => ({ kind: 'own-expert', layer, expert }));
}

/** The tokens that an expert took, the largest weights first; if the source gave no weights, in the order of the text. */
export function ownTokens(trace: Trace, layer: Layer, expert: number): Node[] {
  const own = ownLayer(trace, layer);
  if (!own) return [];
  const taken = new Map<number, number>();
  for (const s of own.sites.sites) {
    const rows = rowsAt(trace, s);
    for (const t of textTokens(own.sites.sequence)) {
      const at = chosenAt(rows, t).indexOf(expert);
      if (at >= 0) taken.set(t, Math.max(taken.get(t) ?? -Infinity, rows.weight?.[t * rows.k + at] ?? NaN));
    }
  }
  return [...taken]
    .sort(([a, x], [b, y]) => y - x || a - b)
    .slice(0, listedTokens)
    .map(([token, share]) => ({ kind: 'token', expert, token, share }));
}
