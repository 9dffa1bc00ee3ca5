/** Top-k overlap: how far two choices agree. */
import { chosenCount, isKnown, layersAmong, type Rows, rowsAt, type SharedSites, textTokens } from '../model/access.js';
import { Mean } from '../../statistics/mean.js';
import { topKOverlapOf, shared } from '../../statistics/sets.js';
import type { Trace } from '../model/trace.js';

/**
 * Whether every site sends all its tokens to the same experts, or to none. Nothing is chosen then, so it makes no sense to ask
 * how far another run's choices agree.
 */
export function isFixed(trace: Trace): boolean {
  return trace.sites.every((_, s) => isFixedAt(rowsAt(trace, s), trace));
}

function isFixedAt(rows: Rows, { sequences }: Trace): boolean {
  const { chosen, k, site } = rows;
  const done = sequences[site.sequence]?.done ?? 0;
  let first = -1;
  for (let t = 0; t < done; t++) {
    if (!isKnown(rows, t)) continue;
    if (first < 0) first = t;
    const common = shared(chosen, first * k, k, chosen, t * k, k);
    if (common !== chosenCount(rows, first) || common !== chosenCount(rows, t)) return false;
  }
  return true;
}

/**
 * [L, L] mean top-k overlap of every two layers at the same token and kind: how far a layer already chooses what a later one
 * will. Layers in the order of `layersAmong` the sites; special tokens are left out. NaN if two layers have no kind in common.
 * Chance: k/E.
 */
export function layerOverlap(trace: Trace, sites: SharedSites): Float32Array {
  const layers = layersAmong(trace, sites.sites);
  const tokens = textTokens(sites.sequence);
  const all = Array.from(sites.sites, (s) => rowsAt(trace, s));
  const inLayer = layers.map(({ stack, layer }) =>
    all.filter(({ site }) => site.stack === stack && site.layer === layer),
  );
  const out = new Float32Array(layers.length ** 2);
  inLayer.forEach((rowsA, i) => {
    inLayer.forEach((rowsB, j) => {
      const mean = new Mean();
      for (const a of rowsA) {
        for (const b of rowsB) {
          if (a.site.kind !== b.site.kind) continue;
          for (const t of tokens) {
            const common = shared(a.chosen, t * a.k, a.k, b.chosen, t * b.k, b.k);
            mean.add(topKOverlapOf(common, chosenCount(a, t), chosenCount(b, t)));
          }
        }
      }
      out[i * layers.length + j] = mean.value;
    });
  });
  return out;
}
