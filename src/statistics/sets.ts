/** How far two sets of chosen experts agree, and what chance would give. */

/** |S ∩ S'| of two chosen sets; −1 is no expert. */
export function shared(
  a: Int16Array,
  aAt: number,
  aK: number,
  b: Int16Array,
  bAt: number,
  bK: number,
  toB?: Int16Array,
): number {
  let count = 0;
  for (let i = aAt; i < aAt + aK; i++) {
    const e = a[i]! < 0 || !toB ? a[i]! : toB[a[i]!]!;
    if (e < 0) continue;
    for (let j = bAt; j < bAt + bK; j++) if (b[j] === e) count++;
  }
  return count;
}

/** |S ∩ S'| ÷ k, k the larger of the two (router saturation of Muennighoff et al. 2024, arXiv 2409.02060); NaN when both are empty. */
export function topKOverlapOf(common: number, a: number, b: number): number {
  return common / Math.max(a, b);
}

/** |S ∩ S'| ÷ |S ∪ S'|; NaN when both are empty. */
export function jaccardOf(common: number, a: number, b: number): number {
  return common / (a + b - common);
}

/** The top-k overlap by chance, if both drew their experts evenly from E: the smaller set's size over E. */
export function chanceTopKOverlap(a: number, b: number, experts: number): number {
  return Math.min(a, b) / experts;
}

/** The Jaccard index by chance, if both drew their experts evenly from E: its mean over the hypergeometric overlap. */
export function chanceJaccard(a: number, b: number, experts: number): number {
  let mean = 0;
  for (let i = Math.max(0, a + b - experts); i <= Math.min(a, b); i++) {
    mean += ((choose(a, i) * choose(experts - a, b - i)) / choose(experts, b)) * jaccardOf(i, a, b);
  }
  return mean;
}

function choose(n: number, k: number): number {
  let result = 1;
  for (let i = 1; i <= k; i++) result *= (n - k + i) / i;
  return result;
}
