/** Which experts are chosen together, over all pairs of a chosen set. */
import { sum } from './mean.js';

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
  /** [N, N] sets that could have had both a and b; the diagonal: a. Absent if all could. */
  readonly open?: Float64Array;
  /**
   * What `share` would be if b were drawn evenly from the E experts that the set could have had: (k − 1) / (E − 1), the mean over
   * all choices.
   */
  readonly chance: number;
}

/** Counts pairs set by set. */
export class Pairs {
  /** [N, N] as in `Coactivation`. */
  readonly counts: Float64Array;
  cells = 0;
  #choices = 0;
  #drawn = 0;
  /** Sets by whom they could have had. */
  readonly #open = new Map<Uint8Array | undefined, { readonly experts: number; cells: number }>();

  constructor(private readonly n: number) {
    this.counts = new Float64Array(n * n);
  }

  /**
   * @param chosen from `from` to `to` no expert twice; numbers below 0 are no expert
   * @param has [N] 1 for an expert that the set could have had, the same array for the same experts; default: all
   */
  add(chosen: Int16Array | readonly number[], from = 0, to = chosen.length, has?: Uint8Array): void {
    this.cells++;
    let open = this.#open.get(has);
    if (!open) this.#open.set(has, (open = { experts: has ? sum(has) : this.n, cells: 0 }));
    open.cells++;
    let k = 0;
    for (let i = from; i < to; i++) {
      const a = chosen[i]!;
      if (a < 0) continue;
      k++;
      for (let j = from; j < to; j++) if (chosen[j]! >= 0) this.counts[a * this.n + chosen[j]!]!++;
    }
    this.#choices += k;
    if (k > 1) this.#drawn += (k * (k - 1)) / (open.experts - 1);
  }

  get value(): Coactivation {
    const { counts, cells } = this;
    return {
      share: counts.map((count, i) => count / counts[Math.floor(i / this.n) * (this.n + 1)]!),
      counts,
      cells,
      ...this.#openTogether(),
      chance: this.#drawn / this.#choices,
    };
  }

  #openTogether(): Pick<Coactivation, 'open'> {
    const { n } = this;
    const some = [...this.#open].filter(([, { experts }]) => experts < n);
    if (some.length === 0) return {};
    const open = new Float64Array(n * n).fill(this.cells);
    for (const [has, { cells }] of some)
      for (let a = 0; a < n; a++) for (let b = 0; b < n; b++) if (!has![a] || !has![b]) open[a * n + b]! -= cells;
    return { open };
  }
}

export interface Pair {
  readonly a: number;
  readonly b: number;
  /** N_ab */
  readonly count: number;
  /** N_a N_b / cells: the count if the two experts were chosen independently. With `open`, each of the three over the cells open to it. */
  readonly expected: number;
}

/** Every pair that was chosen together, once, sorted by observed − expected count, largest first. */
export function pairsOf({ counts, cells, open }: Coactivation): Pair[] {
  const n = Math.sqrt(counts.length);
  const of = (e: number) => counts[e * (n + 1)]!;
  const expectedOf = (a: number, b: number) =>
    (of(a) * of(b) * (open ? open[a * n + b]! / open[a * (n + 1)]! : 1)) / (open ? open[b * (n + 1)]! : cells);
  const pairs: Pair[] = [];
  for (let a = 0; a < n; a++)
    for (let b = a + 1; b < n; b++) {
      const count = counts[a * n + b]!;
      if (count > 0) pairs.push({ a, b, count, expected: expectedOf(a, b) });
    }
  return pairs.sort((x, y) => y.count - y.expected - (x.count - x.expected) || x.a - y.a || x.b - y.b);
}
