/** How often documents of each label chose each unit, and how that varies between documents: the basis of load, lift and their chance. */
import { z } from 'zod';
import { addTo, ExactMeans, ExactSums } from '../../statistics/exactSums.js';
import { usage } from '../../trace/figures/usage.js';
import type { AtlasDocument, Figure, Piece } from '../figure.js';
import type { Layout } from '../layout.js';
import { exact, exactMeans, floats, sorted } from '../states.js';

/** How many numbers are kept for permutations (128 MB): counts of single documents. Beyond that, only sums are kept. */
const budget = 2 ** 24;

/** What the documents of one label chose. [2] are the two halves of the corpus. */
export class Group {
  documents = new Float64Array(2);
  /** [2, U] how often the unit was chosen. */
  readonly chosen: readonly [Float64Array, Float64Array];
  /** [2, L] how many choices the layer made. */
  readonly choices: readonly [Float64Array, Float64Array];
  /** [U] documents that chose the unit at least once. */
  readonly within: Float64Array;
  /** Σ over documents: [U] chosen², [U] chosen × choices, [L] choices². */
  readonly squares: ExactSums;
  readonly products: ExactSums;
  readonly wholes: ExactSums;

  constructor({ units, layers }: Layout) {
    this.chosen = [new Float64Array(units), new Float64Array(units)];
    this.choices = [new Float64Array(layers.length), new Float64Array(layers.length)];
    this.within = new Float64Array(units);
    this.squares = new ExactSums(units);
    this.products = new ExactSums(units);
    this.wholes = new ExactSums(layers.length);
  }

  merge(other: Group): void {
    addTo(this.documents, other.documents);
    for (const half of [0, 1] as const) {
      addTo(this.chosen[half], other.chosen[half]);
      addTo(this.choices[half], other.choices[half]);
    }
    addTo(this.within, other.within);
    this.squares.merge(other.squares);
    this.products.merge(other.products);
    this.wholes.merge(other.wholes);
  }

  get state() {
    const { documents, chosen, choices, within, squares, products, wholes } = this;
    return {
      documents,
      chosen: [...chosen],
      choices: [...choices],
      within,
      squares: squares.state,
      products: products.state,
      wholes: wholes.state,
    };
  }
}

/** One document's counts: [U] chosen, then [L] choices. */
interface Row {
  readonly label: string | null;
  readonly counts: Float64Array;
}

/** The key for documents without a label; no label is empty. */
const unlabelled = '';

export class Choices implements Figure {
  readonly groups = new Map<string, Group>();
  /** [L] cells that the source says something about. */
  readonly cells: Float64Array;
  /** [L] a unit's share for even draws from the experts that have a gate there; the mean over traces. */
  readonly chance: ExactMeans;
  #rows: Map<string, Row> | undefined = new Map();
  readonly #document: Float64Array;

  constructor(private readonly layout: Layout) {
    this.cells = new Float64Array(layout.layers.length);
    this.chance = new ExactMeans(layout.layers.length);
    this.#document = new Float64Array(layout.units + layout.layers.length);
  }

  add({ trace, modules }: Piece): void {
    const { layout } = this;
    modules.forEach((at, l) => {
      const { counts, chance, cells, choices } = usage(trace, at);
      addTo(layout.of(this.#document, l), counts);
      this.#document[layout.units + l]! += choices;
      this.cells[l]! += cells;
      if (choices > 0)
        this.chance.add(
          l,
          chance.reduce((most, x) => Math.max(most, x), 0),
        );
    });
  }

  close({ id, label, hash }: AtlasDocument): void {
    const { units, layers, layerOf } = this.layout;
    const group = new Group(this.layout);
    const half = halfOf(hash);
    const counts = this.#document;
    group.documents[half] = 1;
    group.chosen[half].set(counts.subarray(0, units));
    group.choices[half].set(counts.subarray(units));
    for (let u = 0; u < units; u++) {
      const chosen = counts[u]!;
      if (chosen === 0) continue;
      group.within[u] = 1;
      group.squares.addProduct(u, chosen, chosen);
      group.products.addProduct(u, chosen, counts[units + layerOf[u]!]!);
    }
    for (let l = 0; l < layers.length; l++) group.wholes.addProduct(l, counts[units + l]!, counts[units + l]!);
    this.groups.set(label ?? unlabelled, group);
    this.#rows?.set(id, { label, counts: counts.slice() });
  }

  merge(other: Choices): void {
    for (const [label, group] of other.groups) this.#group(label).merge(group);
    addTo(this.cells, other.cells);
    this.chance.merge(other.chance);
    if (!this.#rows || !other.#rows) this.#rows = undefined;
    else for (const [id, row] of other.#rows) this.#rows.set(id, row);
    if (this.#rows && this.#rows.size * this.#document.length > budget) this.#rows = undefined;
  }

  /** Over all documents. */
  get total(): Group {
    const total = new Group(this.layout);
    for (const group of this.groups.values()) total.merge(group);
    return total;
  }

  /** The groups of documents with a label, sorted by label. */
  get labels(): [string, Group][] {
    return sorted(this.groups).filter(([label]) => label !== unlabelled);
  }

  /** One row per document, sorted by id; undefined if there were too many to keep. */
  get rows(): Row[] | undefined {
    return this.#rows && sorted(this.#rows).map(([, row]) => row);
  }

  get state() {
    const rows = this.#rows && sorted(this.#rows);
    return {
      cells: this.cells,
      chance: this.chance.state,
      groups: sorted(this.groups).map(([label, group]) => ({ label, ...group.state })),
      ...(rows && {
        documents: rows.map(([id, { label }]) => ({ id, label })),
        counts: joined(rows.map(([, { counts }]) => counts)),
      }),
    };
  }

  static load(layout: Layout, state: unknown): Choices {
    const { units, layers } = layout;
    const { cells, chance, groups, documents, counts } = schemaOf(layout).parse(state);
    const choices = new Choices(layout);
    addTo(choices.cells, cells);
    fill(choices.chance.state, chance);
    for (const { label, ...saved } of groups) fill(choices.#group(label).state, saved);
    const width = units + layers.length;
    if (!documents || !counts) choices.#rows = undefined;
    else
      documents.forEach(({ id, label }, d) =>
        choices.#rows!.set(id, { label, counts: counts.slice(d * width, (d + 1) * width) }),
      );
    return choices;
  }

  #group(label: string): Group {
    const group = this.groups.get(label) ?? new Group(this.layout);
    this.groups.set(label, group);
    return group;
  }
}

/** The half of the corpus that a document belongs to. Copies of a text are in the same half. */
export function halfOf(hash: string): 0 | 1 {
  return parseInt(hash[0] ?? '0', 16) & 1 ? 1 : 0;
}

function joined(rows: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(rows.reduce((sum, row) => sum + row.length, 0));
  let at = 0;
  for (const row of rows) {
    all.set(row, at);
    at += row.length;
  }
  return all;
}

/** Copies `source` into the arrays of `target`, which have the same names and lengths. */
export function fill(target: object, source: object): void {
  for (const [name, value] of Object.entries(source) as [keyof typeof target, unknown][]) {
    const into = target[name] as unknown;
    if (into instanceof Float64Array) into.set(value as Float64Array);
    else fill(into as object, value as object);
  }
}

function schemaOf({ units, layers: { length } }: Layout) {
  return z.object({
    cells: floats(length),
    chance: exactMeans(length),
    groups: z.array(
      z.object({
        label: z.string(),
        documents: floats(2),
        chosen: z.tuple([floats(units), floats(units)]),
        choices: z.tuple([floats(length), floats(length)]),
        within: floats(units),
        squares: exact(units),
        products: exact(units),
        wholes: exact(length),
      }),
    ),
    documents: z.array(z.object({ id: z.string(), label: z.string().nullable() })).exactOptional(),
    counts: z.instanceof(Float64Array).exactOptional(),
  });
}
