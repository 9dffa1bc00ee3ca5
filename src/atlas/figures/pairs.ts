/** Which units of a layer are chosen together, and which unit of the next layer follows which. */
import { z } from 'zod';
import { addTo } from '../../statistics/exactSums.js';
import { isKnown, rowsAt, textTokens } from '../../trace/model/access.js';
import { pairsIn } from '../../trace/figures/usage.js';
import type { Figure, Piece } from '../figure.js';
import type { Layout } from '../layout.js';
import { floats } from '../states.js';

/** How many numbers are kept (128 MB); layers beyond that have no pairs. */
const budget = 2 ** 24;

export class PairCounts implements Figure {
  /** [L] of [N, N] cells that chose both experts; on the diagonal, cells that chose the one. Empty if there are too many. */
  readonly together: readonly Float64Array[];
  /** [L] of [N, N'] tokens that chose one expert here and the other in the next layer; empty without a next layer or with several modules. */
  readonly following: readonly Float64Array[];
  /** [L] cells, and tokens that are known in both layers. */
  readonly cells: Float64Array;
  readonly steps: Float64Array;

  constructor({ layers }: Layout) {
    let left = budget;
    const table = (size: number) => {
      left -= size;
      return new Float64Array(left >= 0 ? size : 0);
    };
    this.together = layers.map(({ experts }) => table(experts.length ** 2));
    this.following = layers.map((layer, l) => {
      const next = layers[l + 1];
      const follows =
        next?.stack === layer.stack &&
        layer.layer !== null &&
        next.layer !== null &&
        layer.modules * next.modules === 1;
      return table(follows ? layer.experts.length * next.experts.length : 0);
    });
    this.cells = new Float64Array(layers.length);
    this.steps = new Float64Array(layers.length);
  }

  add(piece: Piece): void {
    piece.modules.forEach((at, l) => {
      if (this.together[l]!.length > 0) {
        const { counts, cells } = pairsIn(piece.trace, at);
        addTo(this.together[l]!, counts);
        this.cells[l]! += cells;
      }
      if (this.following[l]!.length > 0) this.#addSteps(piece, l);
    });
  }

  #addSteps({ trace, modules }: Piece, l: number): void {
    const [here, there] = [modules[l]!, modules[l + 1]!].map(({ modules: [s] }) => rowsAt(trace, s!));
    const counts = this.following[l]!;
    const width = modules[l + 1]!.experts.length;
    for (const t of textTokens(modules[l]!.sequence)) {
      if (!isKnown(here!, t) || !isKnown(there!, t)) continue;
      this.steps[l]!++;
      for (let i = t * here!.k; i < (t + 1) * here!.k; i++) {
        const a = here!.chosen[i]!;
        if (a < 0) continue;
        for (let j = t * there!.k; j < (t + 1) * there!.k; j++)
          if (there!.chosen[j]! >= 0) counts[a * width + there!.chosen[j]!]!++;
      }
    }
  }

  merge(other: PairCounts): void {
    other.together.forEach((counts, l) => addTo(this.together[l]!, counts));
    other.following.forEach((counts, l) => addTo(this.following[l]!, counts));
    addTo(this.cells, other.cells);
    addTo(this.steps, other.steps);
  }

  get state() {
    const { together, following, cells, steps } = this;
    return { together, following, cells, steps };
  }

  static load(layout: Layout, state: unknown): PairCounts {
    const pairs = new PairCounts(layout);
    const like = (tables: readonly Float64Array[]) =>
      z.array(z.instanceof(Float64Array)).refine((given) => given.every((x, l) => x.length === tables[l]?.length));
    const schema = z.object({
      together: like(pairs.together),
      following: like(pairs.following),
      cells: floats(layout.layers.length),
      steps: floats(layout.layers.length),
    });
    const { together, following, cells, steps } = schema.parse(state);
    together.forEach((counts, l) => pairs.together[l]!.set(counts));
    following.forEach((counts, l) => pairs.following[l]!.set(counts));
    pairs.cells.set(cells);
    pairs.steps.set(steps);
    return pairs;
  }
}
