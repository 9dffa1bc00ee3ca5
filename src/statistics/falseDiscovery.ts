/**
 * False discovery rates (Benjamini & Hochberg 1995, J. R. Stat. Soc. B 57).
 * @param p [N] p-values; NaN means not tested, and stays NaN
 * @returns [N] q: the expected share of false ones among all results with a p-value no larger than this
 */
export function falseDiscovery(p: Float64Array): Float64Array {
  const tested = [...p.keys()].filter((i) => !Number.isNaN(p[i]!)).sort((a, b) => p[a]! - p[b]!);
  const q = new Float64Array(p.length).fill(NaN);
  let least = 1;
  for (let rank = tested.length; rank > 0; rank--) {
    const i = tested[rank - 1]!;
    least = Math.min(least, (p[i]! * tested.length) / rank);
    q[i] = least;
  }
  return q;
}
