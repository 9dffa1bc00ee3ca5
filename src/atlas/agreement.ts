/** How far two ways of routing agree over a corpus. Of each pair of runs only sums stay, so neither side is kept. */
import type { Interval } from '../statistics/bootstrap.js';
import { chanceTopKOverlap, topKOverlapOf } from '../statistics/sets.js';
import { leastUnits } from '../statistics/stratified.js';
import { studentQuantile } from '../statistics/tails.js';
import { certaintyAt } from '../trace/figures/distribution.js';
import { type Difference, difference } from '../trace/figures/difference.js';
import { chosenCount, isSpecial, layerAt, type Rows, rowsAt } from '../trace/model/access.js';
import type { Trace } from '../trace/model/trace.js';
import { layerText } from '../trace/text/label.js';

/** Σ part ÷ Σ whole over documents, with a 95 % interval in which the documents are the sample (Cochran 1977, ch. 6). */
class Ratio {
  #documents = 0;
  #part = 0;
  #whole = 0;
  #squares = 0;
  #products = 0;
  #wholes = 0;
  #own = { part: 0, whole: 0 };

  add(part: number): void {
    if (Number.isNaN(part)) return;
    this.#own.part += part;
    this.#own.whole++;
  }

  drop(): void {
    this.#own = { part: 0, whole: 0 };
  }

  close(): void {
    const { part, whole } = this.#own;
    this.drop();
    if (whole === 0) return;
    this.#documents++;
    this.#part += part;
    this.#whole += whole;
    this.#squares += part * part;
    this.#products += part * whole;
    this.#wholes += whole * whole;
  }

  get count(): number {
    return this.#whole;
  }

  get value(): Interval & { readonly value: number } {
    const [n, whole] = [this.#documents, this.#whole];
    const value = this.#part / whole;
    if (n < leastUnits) return { value, low: NaN, high: NaN };
    const spread = this.#squares - 2 * value * this.#products + value * value * this.#wholes;
    const half = (studentQuantile(n - 1) * Math.sqrt((Math.max(0, spread) * n) / (n - 1))) / whole;
    return { value, low: value - half, high: value + half };
  }
}

const shareOf = (ratio: Ratio) => {
  const { value, low, high } = ratio.value;
  return { value, low: Math.max(0, low), high: Math.min(1, high) };
};

/** Cells (token × routed module) of a layer, a label or a range of margins. */
class Cells {
  readonly #overlap = new Ratio();
  readonly #chance = new Ratio();
  readonly #first = new Ratio();
  readonly #flipped = new Ratio();

  add({ overlap, chance, first, flipped }: Cell): void {
    this.#overlap.add(overlap);
    this.#chance.add(chance);
    this.#first.add(first);
    this.#flipped.add(flipped);
  }

  get ratios(): readonly Ratio[] {
    return [this.#overlap, this.#chance, this.#first, this.#flipped];
  }

  get value(): CellAgreement {
    return {
      cells: this.#flipped.count,
      overlap: shareOf(this.#overlap),
      chance: this.#chance.value.value,
      first: shareOf(this.#first),
      flipped: shareOf(this.#flipped),
    };
  }
}

interface Cell {
  readonly overlap: number;
  readonly chance: number;
  readonly first: number;
  readonly flipped: number;
}

export type Share = Interval & { readonly value: number };

export interface CellAgreement {
  readonly cells: number;
  /** |S ∩ S′| ÷ k, and what even draws on both sides would give: k/E. */
  readonly overlap: Share;
  readonly chance: number;
  /** Share of cells whose rank 1 is the same. */
  readonly first: Share;
  /** Share of cells with different sets of experts. */
  readonly flipped: Share;
}

export interface Named<T> {
  readonly name: string;
  readonly value: T;
}

export interface LogProbChange {
  readonly tokens: number;
  /** b − a, and its size without sign, in nats. */
  readonly mean: Share;
  readonly size: Share;
}

export interface AgreementValue {
  readonly documents: number;
  /** Tokens that are the same in both runs, and the share with at least one flipped cell. */
  readonly tokens: number;
  readonly tokensFlipped: Share;
  readonly all: CellAgreement;
  readonly layers: readonly Named<CellAgreement>[];
  readonly labels: readonly Named<CellAgreement>[];
  /** By the margin in a: how much would have had to change for another choice. */
  readonly margins: readonly Named<CellAgreement>[];
  /** Of the token after one with a flipped cell, and of all others. */
  readonly logProb: { readonly flipped: LogProbChange; readonly others: LogProbChange };
}

/** Upper bounds of the ranges of margins. */
const bounds = [1 / 64, 1 / 16, 1 / 4, 1, 4, Infinity];
const boundNames = ['below 1/64', '1/64 to 1/16', '1/16 to 1/4', '1/4 to 1', '1 to 4', '4 and more'];

export class Agreement {
  #documents = 0;
  readonly #all = new Cells();
  readonly #layers = new Map<string, Cells>();
  readonly #labels = new Map<string, Cells>();
  readonly #margins = bounds.map(() => new Cells());
  readonly #tokens = new Ratio();
  readonly #logProb = [0, 1].map(() => ({ mean: new Ratio(), size: new Ratio() }));

  /** A part of a document, or all of it, run in two ways. */
  add(a: Trace, b: Trace, label: string | null): void {
    a.sequences.forEach((_, sequence) => {
      if (b.sequences[sequence]) this.#addSequence(a, b, difference(a, b, { sequence }), sequence, label);
    });
  }

  /** Called after the document's last part. */
  close(): void {
    this.#documents++;
    for (const ratio of this.#ratios) ratio.close();
  }

  /** Forgets what was added since the last document. */
  drop(): void {
    for (const ratio of this.#ratios) ratio.drop();
  }

  get #ratios(): Ratio[] {
    const cells = [this.#all, ...this.#layers.values(), ...this.#labels.values(), ...this.#margins];
    return [
      ...cells.flatMap(({ ratios }) => ratios),
      this.#tokens,
      ...this.#logProb.flatMap(({ mean, size }) => [mean, size]),
    ];
  }

  #addSequence(a: Trace, b: Trace, found: Difference, sequence: number, label: string | null): void {
    const { alignment, modules, flips, logProb } = found;
    const C = alignment.same.length;
    const text = a.sequences[sequence]!;
    const isText = (c: number) => alignment.same[c] === 1 && !isSpecial(text, alignment.a[c]!);
    // [C] 0 or 1 flipped cells or more; −1: nothing is known.
    const flipped = new Int8Array(C).fill(-1);
    modules.forEach(({ module, a: sa, b: sb }, row) => {
      const [rowsA, rowsB] = [rowsAt(a, sa), rowsAt(b, sb)];
      const groups = [this.#all, cellsOf(this.#layers, layerText(layerAt(a, module)))];
      if (label !== null) groups.push(cellsOf(this.#labels, label));
      for (let c = 0; c < C; c++) {
        const differing = flips[row * C + c]!;
        if (differing < 0 || !isText(c)) continue;
        const cell = cellAt(rowsA, alignment.a[c]!, rowsB, alignment.b[c]!, differing);
        flipped[c] = Math.max(flipped[c]!, cell.flipped);
        for (const cells of groups) cells.add(cell);
        const { margin } = certaintyAt(a, rowsA, alignment.a[c]!);
        if (!Number.isNaN(margin)) this.#margins[bounds.findIndex((bound) => margin < bound)]!.add(cell);
      }
    });
    flipped.forEach((isFlipped, c) => {
      if (isFlipped < 0) return;
      this.#tokens.add(isFlipped);
      if (c + 1 >= C || !isText(c + 1)) return;
      const { mean, size } = this.#logProb[isFlipped]!;
      mean.add(logProb[c + 1]!);
      size.add(Math.abs(logProb[c + 1]!));
    });
  }

  get value(): AgreementValue {
    const named = (cells: ReadonlyMap<string, Cells>) => [...cells].map(([name, one]) => ({ name, value: one.value }));
    const [others, flipped] = this.#logProb.map(({ mean, size }) => ({
      tokens: mean.count,
      mean: mean.value,
      size: size.value,
    }));
    return {
      documents: this.#documents,
      tokens: this.#tokens.count,
      tokensFlipped: shareOf(this.#tokens),
      all: this.#all.value,
      layers: named(this.#layers),
      labels: named(this.#labels).sort((x, y) => (x.name < y.name ? -1 : 1)),
      margins: this.#margins
        .map((cells, i) => ({ name: boundNames[i]!, value: cells.value }))
        .filter(({ value }) => value.cells > 0),
      logProb: { flipped: flipped!, others: others! },
    };
  }
}

function cellsOf(groups: Map<string, Cells>, name: string): Cells {
  const cells = groups.get(name) ?? new Cells();
  groups.set(name, cells);
  return cells;
}

/** @param differing as `Difference.flips` counts them */
function cellAt(a: Rows, ta: number, b: Rows, tb: number, differing: number): Cell {
  const [countA, countB] = [chosenCount(a, ta), chosenCount(b, tb)];
  const common = Math.max(countA, countB) - differing;
  const first = ({ chosen, k, set }: Rows, t: number) => set.experts[chosen[t * k]!]?.id;
  return {
    overlap: topKOverlapOf(common, countA, countB),
    chance: countA + countB > 0 ? chanceTopKOverlap(countA, countB, a.experts) : NaN,
    first: countA + countB > 0 ? Number(first(a, ta) === first(b, tb)) : NaN,
    flipped: Number(differing > 0),
  };
}
