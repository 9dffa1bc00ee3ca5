/** For each token, the last of several interventions that applies to it. */
import type { Intervention } from './trace.js';

/** An intervention with the index of its expert. */
export interface Acting {
  readonly intervention: Intervention;
  readonly expert: number;
}

/** The intervention that applies to all tokens [from, to); undefined if none does. */
interface Found {
  readonly acting: Acting | undefined;
  readonly from: number;
  readonly to: number;
}

/**
 * Built once, at a cost that depends on the ranges named and not on the tokens: a trace may have a million tokens, and every
 * cell asks.
 */
export class Latest {
  readonly #acting: readonly Acting[];
  /** Ascending, from −∞ to ∞. Between two edges, the same intervention applies to all tokens. */
  readonly #edges: Float64Array;
  /** For each span between two edges, an index into `#acting`; −1: none applies. */
  readonly #owners: Int32Array;
  /** The span of the last question: the next token is mostly in it, or in the one after it. */
  #stretch = 0;

  /** @param acting in the order given: later ones win */
  constructor(acting: readonly Acting[]) {
    this.#acting = acting;
    this.#edges = edgesOf(acting);
    this.#owners = new Int32Array(this.#edges.length - 1).fill(-1);
    this.#paint();
  }

  at(t: number): Found {
    const i = (this.#stretch = this.#stretchOf(t));
    return { acting: this.#acting[this.#owners[i]!], from: this.#edges[i]!, to: this.#edges[i + 1]! };
  }

  /** From the last intervention to the first, skipping spans that already have an owner. */
  #paint(): void {
    const free = new Free(this.#owners.length);
    for (let owner = this.#acting.length - 1; owner >= 0; owner--)
      eachSpan(this.#acting[owner]!, (from, to) => {
        const end = this.#search(to);
        for (let i = free.from(this.#search(from)); i < end; i = free.from(i)) {
          this.#owners[i] = owner;
          free.take(i);
        }
      });
  }

  #stretchOf(t: number): number {
    for (const i of [this.#stretch, this.#stretch + 1]) if (this.#edges[i]! <= t && t < this.#edges[i + 1]!) return i;
    return this.#search(t);
  }

  /** The last edge that is not after token t. */
  #search(t: number): number {
    let [low, high] = [0, this.#edges.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#edges[middle]! <= t) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Finds the next free one of n places in nearly constant time: a union-find with path halving. */
class Free {
  readonly #next: Int32Array;

  constructor(n: number) {
    this.#next = Int32Array.from({ length: n + 1 }, (_, i) => i);
  }

  /** The first free place from i on; n if there is none. */
  from(i: number): number {
    const next = this.#next;
    let at = i;
    for (let after = next[at]!; after !== at; after = next[at]!) {
      next[at] = next[after]!;
      at = next[at]!;
    }
    return at;
  }

  take(i: number): void {
    this.#next[i] = i + 1;
  }
}

/** Calls `tell` with each span of tokens to which an intervention applies. */
function eachSpan({ intervention }: Acting, tell: (from: number, to: number) => void): void {
  const { token, tokens } = intervention.scope;
  const [first, end] = token === undefined ? [-Infinity, Infinity] : [token, token + 1];
  if (!tokens) tell(first, end);
  else
    for (const range of tokens) {
      const [from, to] = [Math.max(range[0], first), Math.min(range[1], end)];
      if (from < to) tell(from, to);
    }
}

/** Ascending, without duplicates. */
function edgesOf(acting: readonly Acting[]): Float64Array {
  let count = 2;
  for (const one of acting) eachSpan(one, () => (count += 2));
  const edges = new Float64Array(count);
  edges.set([-Infinity, Infinity]);
  let n = 2;
  const add = (from: number, to: number) => {
    edges[n++] = from;
    edges[n++] = to;
  };
  for (const one of acting) eachSpan(one, add);
  return edges.sort().filter((edge, i, all) => i === 0 || edge !== all[i - 1]);
}
