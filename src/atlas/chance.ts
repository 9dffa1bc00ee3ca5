/** What the figures would be if labels had nothing to do with choices: labels are shuffled among whole documents. */
import { random } from '../statistics/random.js';
import { shuffle } from '../statistics/shuffled.js';
import { twoSided } from '../statistics/tails.js';
import { mutualInformation } from '../statistics/information.js';
import type { Choices, Group } from './figures/choices.js';
import type { Layout } from './layout.js';
import { chosenOf, choicesAt, documentsOf } from './lift.js';
import { specialisation } from './specialisation.js';

/** Number of shuffles; fewer if documents × units are many, so that it takes a few seconds. */
const mostShuffles = 999;
const leastShuffles = 199;
const work = 2 ** 32;

/** Without shuffles, a unit that fewer documents chose is not tested, because the normal approximation does not hold. */
const leastWithin = 20;

/** Histogram of |z|, for the tail over all units. */
const bins = 4096;
const binsPerUnit = 64;
const binOf = (z: number) => Math.min(bins - 1, Math.floor(z * binsPerUnit));

export interface Chance {
  /** How often labels were shuffled; 0 if there were too many documents, and `p` comes from the normal distribution. */
  readonly shuffles: number;
  /** [labels, U] probability of a lift at least as far from 0; NaN if not tested. */
  readonly p: Float64Array;
  /** [U] and [L], means over the shuffles; NaN without shuffles. */
  readonly specialisation: Float64Array;
  readonly information: Float64Array;
}

export function chanceOf(choices: Choices, layout: Layout): Chance {
  const { rows, labels } = choices;
  if (labels.length < 2) return untested(layout, labels.length);
  return rows ? new Shuffled(rows, labels, choices.total, layout).value : normal(choices, layout);
}

function untested({ units, layers }: Layout, labels: number): Chance {
  return {
    shuffles: 0,
    p: new Float64Array(labels * units).fill(NaN),
    specialisation: new Float64Array(units).fill(NaN),
    information: new Float64Array(layers.length).fill(NaN),
  };
}

/** How much more often a label's documents chose a unit than their part of all choices suggests: Σ chosen − P(unit) × choices. */
function excess(group: Group, total: Group, layout: Layout, u: number): number {
  const l = layout.layerOf[u]!;
  return chosenOf(group, u) - (chosenOf(total, u) / choicesAt(total, l)) * choicesAt(group, l);
}

/**
 * Standard deviation of `excess` if n of all documents are drawn without replacement (Cochran 1977, theorem 2.2).
 * @param squares Σ over all documents of excess²
 */
function deviation(squares: number, n: number, all: number): number {
  return Math.sqrt((squares * n * (all - n)) / (all * (all - 1)));
}

function normal({ labels, total }: Choices, layout: Layout): Chance {
  const chance = untested(layout, labels.length);
  const all = documentsOf(total);
  for (let u = 0; u < layout.units; u++) {
    const l = layout.layerOf[u]!;
    if (total.within[u]! < leastWithin) continue;
    const share = chosenOf(total, u) / choicesAt(total, l);
    const { squares, products, wholes } = total;
    const spread = squares.value(u) - 2 * share * products.value(u) + share * share * wholes.value(l);
    labels.forEach(([, group], i) => {
      const z = excess(group, total, layout, u) / deviation(spread, documentsOf(group), all);
      chance.p[i * layout.units + u] = twoSided(z);
    });
  }
  return chance;
}

class Shuffled {
  /** [D] for each document, the excess at each unit. */
  readonly #excess: Float64Array[];
  /** [D] index of the label; the last index is for documents without one. */
  readonly #label: Int32Array;
  /** [labels + 1] of [U]: sums of excess under the actual labels. */
  readonly #observed: Float64Array[];
  readonly #sizes: number[];
  /** [U] Σ excess². */
  readonly #squares: Float64Array;
  /** [labels + 1] of [U]: how many shuffles reached the actual |z|. */
  readonly #farther: Float64Array[];
  /** [labels + 1] of [bins]: histogram of |z| of all units over all shuffles. */
  readonly #tails: Float64Array[];
  readonly #specialisation: Float64Array;
  readonly #information: Float64Array;
  readonly #shuffles: number;

  constructor(
    private readonly rows: NonNullable<Choices['rows']>,
    private readonly labels: readonly [string, Group][],
    private readonly total: Group,
    private readonly layout: Layout,
  ) {
    const { units, layers } = layout;
    const places = new Map(labels.map(([label], i) => [label, i]));
    this.#label = Int32Array.from(rows, ({ label }) => (label === null ? labels.length : places.get(label)!));
    this.#sizes = Array.from({ length: labels.length + 1 }, (_, i) => this.#label.filter((x) => x === i).length);
    this.#excess = rows.map(({ counts }) => this.#excessOf(counts));
    this.#squares = new Float64Array(units);
    for (const document of this.#excess) for (let u = 0; u < units; u++) this.#squares[u]! += document[u]! ** 2;
    this.#observed = this.#summed(this.#excess, this.#label);
    const table = (length: number) => Array.from({ length: labels.length + 1 }, () => new Float64Array(length));
    this.#farther = table(units);
    this.#tails = table(bins);
    this.#specialisation = new Float64Array(units);
    this.#information = new Float64Array(layers.length);
    const affordable = Math.floor(work / (rows.length * units));
    this.#shuffles = Math.max(leastShuffles, Math.min(mostShuffles, affordable));
  }

  get value(): Chance {
    const { units } = this.layout;
    const label = this.#label.slice();
    const next = random(1);
    const choices = this.rows.map(({ counts }) => counts);
    for (let r = 0; r < this.#shuffles; r++) {
      shuffle(label, next);
      this.#count(this.#summed(this.#excess, label));
      this.#addMeans(this.#summed(choices, label));
    }
    // Cumulate from the end: each bin now counts everything in it and above.
    for (const tail of this.#tails) for (let b = bins - 1; b > 0; b--) tail[b - 1]! += tail[b]!;
    const p = new Float64Array(this.labels.length * units);
    for (let i = 0; i < this.labels.length; i++) for (let u = 0; u < units; u++) p[i * units + u] = this.#p(i, u);
    return {
      shuffles: this.#shuffles,
      p,
      specialisation: this.#specialisation.map((sum) => sum / this.#shuffles),
      information: this.#information.map((sum) => sum / this.#shuffles),
    };
  }

  #excessOf(counts: Float64Array): Float64Array {
    const { units, layerOf } = this.layout;
    const out = new Float64Array(units);
    for (let u = 0; u < units; u++) {
      const l = layerOf[u]!;
      const choices = choicesAt(this.total, l);
      if (choices > 0) out[u] = counts[u]! - (chosenOf(this.total, u) / choices) * counts[units + l]!;
    }
    return out;
  }

  /** [labels + 1] of sums over each label's documents. */
  #summed(documents: readonly Float64Array[], label: Int32Array): Float64Array[] {
    const width = documents[0]?.length ?? 0;
    const sums = this.#sizes.map(() => new Float64Array(width));
    documents.forEach((values, d) => {
      const into = sums[label[d]!]!;
      for (let u = 0; u < width; u++) into[u]! += values[u]!;
    });
    return sums;
  }

  #z(sums: Float64Array, i: number, u: number): number {
    const z = Math.abs(sums[u]!) / deviation(this.#squares[u]!, this.#sizes[i]!, this.rows.length);
    return z < Infinity ? z : NaN;
  }

  #count(sums: readonly Float64Array[]): void {
    for (let i = 0; i < this.labels.length; i++) {
      const tail = this.#tails[i]!;
      for (let u = 0; u < this.layout.units; u++) {
        const z = this.#z(sums[i]!, i, u);
        if (Number.isNaN(z)) continue;
        tail[binOf(z)]!++;
        // Equal sums may differ slightly, because they were added in a different order.
        if (z >= this.#z(this.#observed[i]!, i, u) * (1 - 1e-9)) this.#farther[i]![u]!++;
      }
    }
  }

  #addMeans(sums: readonly Float64Array[]): void {
    const { layout } = this;
    const shares = sums.slice(0, this.labels.length);
    specialisation(shares, layout).forEach((x, u) => (this.#specialisation[u]! += x));
    for (let l = 0; l < layout.layers.length; l++)
      this.#information[l]! += mutualInformation(shares.map((row) => layout.of(row, l))).value;
  }

  /**
   * From the unit's own shuffles, if any reached the actual |z|. Otherwise these only give a bound, and p is the share of all units'
   * shuffles that reached it, each in its own standard deviations.
   */
  #p(i: number, u: number): number {
    const z = this.#z(this.#observed[i]!, i, u);
    if (Number.isNaN(z)) return NaN;
    const farther = this.#farther[i]![u]!;
    const own = (farther + 1) / (this.#shuffles + 1);
    if (farther > 0) return own;
    const tail = this.#tails[i]!;
    return Math.min(own, (tail[binOf(z)]! + 1) / (tail[0]! + 1));
  }
}
