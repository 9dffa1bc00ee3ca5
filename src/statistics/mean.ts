/** A running mean that ignores NaN. */
export class Mean {
  private sum = 0;
  count = 0;

  add(value: number): void {
    if (Number.isNaN(value)) return;
    this.sum += value;
    this.count++;
  }

  /** NaN when nothing was added. */
  get value(): number {
    return this.count > 0 ? this.sum / this.count : NaN;
  }
}

/** Mean of the values that are not NaN; NaN if there are none. */
export function meanOf(values: Iterable<number>): number {
  const all = new Mean();
  for (const x of values) all.add(x);
  return all.value;
}

export function sum(values: Iterable<number>): number {
  let total = 0;
  for (const x of values) total += x;
  return total;
}

/** NaN if there are no values. */
export function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
