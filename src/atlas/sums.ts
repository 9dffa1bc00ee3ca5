/** All figures together, for one document, a shard or a corpus. */
import { z } from 'zod';
import { GanderError } from '../errors/errors.js';
import { Certainty } from './figures/certainty.js';
import { Choices } from './figures/choices.js';
import { Classes } from './figures/classes.js';
import { Contexts } from './figures/contexts.js';
import { Documents } from './figures/documents.js';
import { PairCounts } from './figures/pairs.js';
import { Vocabulary } from './figures/vocabulary.js';
import { Weights } from './figures/weights.js';
import type { AtlasDocument, Figure, FigureKind, Piece } from './figure.js';
import { layerSchema, Layout } from './layout.js';

/** A new figure needs a file and a line here. */
const kinds = {
  choices: Choices,
  weights: Weights,
  certainty: Certainty,
  vocabulary: Vocabulary,
  contexts: Contexts,
  pairs: PairCounts,
  classes: Classes,
  documents: Documents,
};

type Kinds = typeof kinds;

export type Figures = { readonly [Name in keyof Kinds]: InstanceType<Kinds[Name]> };

const names = Object.keys(kinds) as (keyof Kinds)[];

export class Sums {
  readonly figures: Figures;

  constructor(
    readonly layout: Layout,
    make: (kind: FigureKind<Figure>, name: keyof Kinds) => Figure = (kind) => new kind(layout),
  ) {
    this.figures = Object.fromEntries(
      names.map((name) => [name, make(kinds[name] as unknown as FigureKind<Figure>, name)]),
    ) as unknown as Figures;
  }

  get #all(): readonly Figure[] {
    return names.map((name): Figure => this.figures[name]);
  }

  /** Adds a piece of a document, one figure with each step. These sums must hold no other document. */
  *adding(piece: Piece): Generator<void> {
    for (const figure of this.#all) {
      figure.add(piece);
      yield;
    }
  }

  /** Completes the document; the sums can then be merged into others. */
  close(document: AtlasDocument): void {
    for (const figure of this.#all) figure.close?.(document);
  }

  /** @throws GanderError `request-invalid` if the other sums are of another model, or share a document with these */
  merge(other: Sums): void {
    if (!this.layout.isSame(other.layout))
      throw new GanderError(
        'request-invalid',
        'These runs have different layers or experts, so they are runs of different models.',
        'Make an atlas for each model.',
      );
    const twice = other.figures.documents.rows.find(({ id }) => this.figures.documents.has(id));
    if (twice)
      throw new GanderError(
        'request-invalid',
        `The document ${twice.id} is in two of the parts.`,
        'Merge parts that share no document.',
      );
    for (const name of names) (this.figures[name] as Figure).merge(other.figures[name]);
  }

  get state(): object {
    return {
      layers: this.layout.layers,
      figures: Object.fromEntries(names.map((name) => [name, this.figures[name].state])),
    };
  }

  /** Restores what `state` returned. @throws ZodError */
  static load(state: unknown): Sums {
    const schema = z.object({ layers: z.array(layerSchema).min(1), figures: z.record(z.string(), z.unknown()) });
    const { layers, figures } = schema.parse(state);
    const layout = new Layout(layers);
    return new Sums(layout, (kind, name) => kind.load(layout, figures[name]));
  }
}
