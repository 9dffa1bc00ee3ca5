/** Which experts are chosen together, over all pairs of a chosen set. */

export interface Coactivation {
  /**
   * [N, N] N_ab / N_a in row a: of the cells that chose a, the share that also chose b (Muennighoff et al. 2024,
   * arXiv 2409.02060). NaN if a was never chosen.
   */
  readonly share: Float64Array;
  /** [N, N] N_ab; the diagonal is N_a. */
  readonly counts: Float64Array;
  /** Sets that were counted. */
  readonly cells: number;
  /** What `share` would be if b were drawn evenly from the others: (k − 1) / (N − 1). */
  readonly chance: number;
}

/** Counts pairs set by set. */
export class Pairs {
  /** [N, N] as in `Coactivation`. */
  readonly counts: Float64Array;
  cells = 0;
  #choices = 0;

  constructor(private readonly n: number) {
    this.counts = new Float64Array(n * n);
  }

  /** @param chosen from `from` to `to` no expert twice; numbers below 0 are no expert */
  add(chosen: Int16Array | readonly number[], from = 0, to = chosen.length): void {
    this.cells++;
    for (let i = from; i < to; i++) {
      const a = chosen[i]!;
      if (a < 0) continue;
      this.#choices++;
      for (let j = from; j < to; j++) if (chosen[j]! >= 0) this.counts[a * this.n + chosen[j]!]!++;
    }
  }

  get value(): Coactivation {
    const { counts, cells } = this;
    return {
      share: counts.map((count, i) => count / counts[Math.floor(i / this.n) * (this.n + 1)]!),
      counts,
      cells,
      chance: (this.#choices / cells - 1) / (this.n - 1),
    };
  }
}

export interface Pair {
  readonly a: number;
  readonly b: number;
  /** N_ab */
  readonly count: number;
  /** N_a N_b / cells: the count if the two experts were chosen independently. */
  readonly expected: number;
}

/** Every pair that was chosen together, once, sorted by observed − expected count, largest first. */
export function pairsOf({ counts, cells }: Coactivation): Pair[] {
  const n = Math.sqrt(counts.length);
  const of = (e: number) => counts[e * (n + 1)]!;
  const pairs: Pair[] = [];
  for (let a = 0; a < n; a++)
    for (let b = a + 1; b < n; b++) {
      const count = counts[a * n + b]!;
      if (count > 0) pairs.push({ a, b, count, expected: (of(a) * of(b)) / cells });
    }
  return pairs.sort((x, y) => y.count - y.expected - (x.count - x.expected) || x.a - y.a || x.b - y.b);
}
