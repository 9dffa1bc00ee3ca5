/** Which of some interventions is the last one that holds, token by token. */
import type { Intervention } from './trace.js';

/** An intervention, its expert looked up. */
export interface Acting {
  readonly intervention: Intervention;
  readonly expert: number;
}

/** One that holds for all tokens [from, to); none, where it is undefined. */
interface Found {
  readonly acting: Acting | undefined;
  readonly from: number;
  readonly to: number;
}

/**
 * Made once, in proportion to the ranges that the interventions name, whatever the tokens: a trace may have a million of
 * these, and each cell of it asks.
 */
export class Latest {
  readonly #acting: readonly Acting[];
  /** Ascending, −∞ first and ∞ last: between two of them all tokens are alike. */
  readonly #edges: Float64Array;
  /** For each stretch between two edges; −1: none holds. */
  readonly #owners: Int32Array;
  /** The stretch that was asked for last: the next token is mostly in it, or in the one after it. */
  #stretch = 0;

  /** @param acting in the order in which they were given: later ones win */
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

  /** The last first; what has an owner is skipped. */
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

  /** The last edge at a token or before it. */
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

/** Which of n places are free yet, found in next to no time however many are taken. */
class Free {
  readonly #next: Int32Array;

  constructor(n: number) {
    this.#next = Int32Array.from({ length: n + 1 }, (_, i) => i);
  }

  /** The first free one from i on; n: none. */
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

/** Tells each stretch of tokens for which an intervention holds. */
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

/** Ascending, each once. */
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
