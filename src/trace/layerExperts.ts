import type { Expert } from './trace.js';

/**
 * Experts that one layer has for itself, called so that no two layers have one in common. Whoever makes traces calls them
 * alike, gander-trace in Python, too: runs of one model from different places compare.
 */
export function layerExperts(layer: number, count: number): Expert[] {
  return Array.from({ length: count }, (_, e) => ({ id: `${layer}.${e}`, name: `Layer ${layer} expert ${e}` }));
}
