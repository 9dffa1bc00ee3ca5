import type { Layout } from './layout.js';

/**
 * [U] 1 − H / ln C over the labels that choose a unit, with equal weight for each label: 0 if all labels choose it equally often, 1 if
 * only one does. NaN for a unit that was never chosen, and if there is only one label.
 * @param groups each label's counts: [U] chosen, then [L] choices
 */
export function specialisation(groups: readonly Float64Array[], { units, layerOf }: Layout): Float64Array {
  const out = new Float64Array(units);
  for (let u = 0; u < units; u++) {
    const shares = groups.map((counts) => {
      const choices = counts[units + layerOf[u]!]!;
      return choices > 0 ? counts[u]! / choices : 0;
    });
    const sum = shares.reduce((a, b) => a + b, 0);
    const h = shares.reduce((total, share) => (share > 0 ? total - (share / sum) * Math.log(share / sum) : total), 0);
    out[u] = sum > 0 && groups.length > 1 ? 1 - h / Math.log(groups.length) : NaN;
  }
  return out;
}
