/** Two experts by index, a before b. */
export interface Pair {
  readonly a: number;
  readonly b: number;
  readonly cosine: number;
}

/** Every two experts whose cosine is known, most similar first. @param plane [N, N] */
export function closestPairs(plane: Float32Array): Pair[] {
  const n = Math.sqrt(plane.length);
  const pairs: Pair[] = [];
  for (let a = 0; a < n; a++)
    for (let b = a + 1; b < n; b++) {
      const cosine = plane[a * n + b]!;
      if (!Number.isNaN(cosine)) pairs.push({ a, b, cosine });
    }
  return pairs.sort((x, y) => y.cosine - x.cosine);
}

/** The other experts by similarity to one, most similar first. */
export function nearestTo(plane: Float32Array, expert: number): Pair[] {
  return closestPairs(plane).filter(({ a, b }) => a === expert || b === expert);
}
