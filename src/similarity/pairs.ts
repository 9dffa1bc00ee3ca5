/** Two experts by their places, a before b. */
export interface Pair {
  readonly a: number;
  readonly b: number;
  readonly cosine: number;
}

/** Every two experts of which it is known, the most alike first. @param plane [N, N] */
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

/** The others by their likeness to one, the most alike first. */
export function nearestTo(plane: Float32Array, expert: number): Pair[] {
  return closestPairs(plane).filter(({ a, b }) => a === expert || b === expert);
}
