/** How certain the router was at each layer. */
import { z } from 'zod';
import { ExactMeans } from '../../statistics/exactSums.js';
import { rowsAt, textTokens } from '../../trace/model/access.js';
import { certaintyAt } from '../../trace/figures/distribution.js';
import type { Figure, Piece } from '../figure.js';
import type { Layout } from '../layout.js';
import { exactMeans } from '../states.js';
import { fill } from './choices.js';

export class Certainty implements Figure {
  /** [L], as defined in trace/figures/distribution.ts. */
  readonly entropy: ExactMeans;
  readonly margin: ExactMeans;
  readonly mass: ExactMeans;

  constructor({ layers: { length } }: Layout) {
    [this.entropy, this.margin, this.mass] = [new ExactMeans(length), new ExactMeans(length), new ExactMeans(length)];
  }

  add({ trace, modules, layout }: Piece): void {
    modules.forEach((at, l) => {
      // Over all layers it would only be the mean of the layers' figures.
      if (layout.layers[l]!.layer === null) return;
      const tokens = textTokens(at.sequence);
      for (const s of at.modules) {
        const rows = rowsAt(trace, s);
        for (const t of tokens) {
          const { entropy, margin, topKProbability: mass } = certaintyAt(trace, rows, t);
          this.entropy.add(l, entropy);
          this.margin.add(l, margin);
          this.mass.add(l, mass);
        }
      }
    });
  }

  merge(other: Certainty): void {
    this.entropy.merge(other.entropy);
    this.margin.merge(other.margin);
    this.mass.merge(other.mass);
  }

  get state() {
    return { entropy: this.entropy.state, margin: this.margin.state, mass: this.mass.state };
  }

  static load(layout: Layout, state: unknown): Certainty {
    const means = exactMeans(layout.layers.length);
    const certainty = new Certainty(layout);
    fill(certainty.state, z.object({ entropy: means, margin: means, mass: means }).parse(state));
    return certainty;
  }
}
