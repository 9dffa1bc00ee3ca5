/** Sums that do not depend on the order or the grouping of what is added: of whole numbers, exact beyond 2^53. */

/** The value of 1 in `high`. */
const radix = 2 ** 20;

export interface ExactState {
  readonly high: Float64Array;
  readonly low: Float64Array;
}

/** From here on `low` is carried into `high`, so that it stays exact with another number below 2^52 added to it. */
const full = 2 ** 52;

/** [N] sums, each high × 2^20 + low: exact up to 2^73. */
export class ExactSums {
  readonly #high: Float64Array;
  readonly #low: Float64Array;

  constructor(length: number) {
    this.#high = new Float64Array(length);
    this.#low = new Float64Array(length);
  }

  /** The same for the same sums: 0 ≤ low < 2^20. */
  get state(): ExactState {
    for (let i = 0; i < this.#low.length; i++) this.#carry(i);
    return { high: this.#high, low: this.#low };
  }

  /** @param whole a whole number below 2^52 */
  add(i: number, whole: number): void {
    this.#add(i, 0, whole);
  }

  /** @param a a whole number below 2^32 @param b likewise, not negative */
  addProduct(i: number, a: number, b: number): void {
    const upper = Math.floor(b / radix);
    this.#add(i, a * upper, a * (b - upper * radix));
  }

  merge(other: ExactSums): void {
    for (let i = 0; i < this.#low.length; i++) this.#add(i, other.#high[i]!, other.#low[i]!);
  }

  /** The nearest number. */
  value(i: number): number {
    this.#carry(i);
    return this.#high[i]! * radix + this.#low[i]!;
  }

  #add(i: number, high: number, low: number): void {
    this.#high[i]! += high;
    this.#low[i]! += low;
    if (Math.abs(this.#low[i]!) >= full) this.#carry(i);
  }

  #carry(i: number): void {
    const carry = Math.floor(this.#low[i]! / radix);
    this.#high[i]! += carry;
    this.#low[i]! -= carry * radix;
  }
}

/** Real numbers are rounded to multiples of this before they are summed. */
const unit = 2 ** -20;

/** Sums and counts of real numbers, each rounded to 2^-20 first, so that their order does not matter; only finite ones count. */
export class ExactMeans {
  readonly #sums: ExactSums;
  readonly #counts: Float64Array;

  constructor(length: number) {
    this.#sums = new ExactSums(length);
    this.#counts = new Float64Array(length);
  }

  get state(): ExactState & { readonly counts: Float64Array } {
    return { ...this.#sums.state, counts: this.#counts };
  }

  /** @param x with |x| below 2^32 */
  add(i: number, x: number): void {
    if (!Number.isFinite(x)) return;
    this.#sums.add(i, Math.round(x / unit));
    this.#counts[i]!++;
  }

  merge(other: ExactMeans): void {
    this.#sums.merge(other.#sums);
    addTo(this.#counts, other.#counts);
  }

  sum(i: number): number {
    return this.#sums.value(i) * unit;
  }

  /** NaN if nothing was added. */
  mean(i: number): number {
    return this.sum(i) / this.#counts[i]!;
  }
}

/** Adds element by element, in place; exact while all are whole numbers below 2^53. */
export function addTo(sums: Float64Array, more: ArrayLike<number>): void {
  for (let i = 0; i < sums.length; i++) sums[i]! += more[i]!;
}
