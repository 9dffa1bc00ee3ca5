/** With which weight and router score a unit is chosen, and how often at rank 1. */
import { z } from 'zod';
import { addTo, ExactMeans } from '../../statistics/exactSums.js';
import { isKnown, type Rows, rowsAt, textTokens } from '../../trace/model/access.js';
import type { Figure, Piece } from '../figure.js';
import type { Layout } from '../layout.js';
import { exactMeans, floats } from '../states.js';
import { fill } from './choices.js';

export class Weights implements Figure {
  /** [U] */
  readonly weight: ExactMeans;
  readonly score: ExactMeans;
  /** [U] cells in which the unit had rank 1. */
  readonly first: Float64Array;

  constructor(private readonly layout: Layout) {
    this.weight = new ExactMeans(layout.units);
    this.score = new ExactMeans(layout.units);
    this.first = new Float64Array(layout.units);
  }

  add({ trace, modules }: Piece): void {
    modules.forEach((at, l) => {
      const tokens = textTokens(at.sequence);
      const start = this.layout.starts[l]!;
      for (const s of at.modules) this.#addModule(rowsAt(trace, s), tokens, start);
    });
  }

  #addModule(rows: Rows, tokens: Int32Array, start: number): void {
    const { chosen, weight, score, k, experts } = rows;
    for (const t of tokens) {
      if (!isKnown(rows, t)) continue;
      if (chosen[t * k]! >= 0) this.first[start + chosen[t * k]!]!++;
      for (let i = t * k; i < (t + 1) * k; i++) {
        const e = chosen[i]!;
        if (e < 0) continue;
        if (weight) this.weight.add(start + e, weight[i]!);
        if (score) this.score.add(start + e, score[t * experts + e]!);
      }
    }
  }

  merge(other: Weights): void {
    this.weight.merge(other.weight);
    this.score.merge(other.score);
    addTo(this.first, other.first);
  }

  get state() {
    return { weight: this.weight.state, score: this.score.state, first: this.first };
  }

  static load(layout: Layout, state: unknown): Weights {
    const { units } = layout;
    const schema = z.object({ weight: exactMeans(units), score: exactMeans(units), first: floats(units) });
    const weights = new Weights(layout);
    fill(weights.state, schema.parse(state));
    return weights;
  }
}
