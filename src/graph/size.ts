/** A size that is known only at run time, as far as it is known: a sum of whole multiples of what a run chooses, such as P + T. */
export class Size {
  /** Equal for equal sizes. */
  readonly key: string;

  private constructor(
    readonly constant: number,
    private readonly terms: ReadonlyMap<string, number>,
  ) {
    this.key = [...[...terms].map(([name, factor]) => `${factor} ${name}`).sort(), String(constant)].join(' + ');
  }

  static of(constant: number): Size {
    return new Size(constant, new Map());
  }

  /** What a run chooses, under a name. */
  static named(name: string): Size {
    return new Size(0, new Map([[name, 1]]));
  }

  get isConstant(): boolean {
    return this.terms.size === 0;
  }

  /** Whether it is a number of things, whatever a run chooses. */
  get isNatural(): boolean {
    return this.constant >= 0 && [...this.terms.values()].every((factor) => factor > 0);
  }

  plus(other: Size): Size | undefined {
    const terms = new Map(this.terms);
    for (const [name, factor] of other.terms) terms.set(name, (terms.get(name) ?? 0) + factor);
    return Size.#checked(this.constant + other.constant, terms);
  }

  minus(other: Size): Size | undefined {
    const less = other.times(Size.of(-1));
    return less && this.plus(less);
  }

  /** Undefined if neither is constant. */
  times(other: Size): Size | undefined {
    if (!other.isConstant) return this.isConstant ? other.times(this) : undefined;
    return this.#each((factor) => factor * other.constant);
  }

  /** Undefined if that leaves a remainder. */
  over(divisor: number): Size | undefined {
    return this.#each((factor) => factor / divisor);
  }

  #each(change: (factor: number) => number): Size | undefined {
    return Size.#checked(
      change(this.constant),
      new Map([...this.terms].map(([name, factor]) => [name, change(factor)])),
    );
  }

  static #checked(constant: number, terms: ReadonlyMap<string, number>): Size | undefined {
    const kept = new Map([...terms].filter(([, factor]) => factor !== 0));
    return [constant, ...kept.values()].every(Number.isSafeInteger) ? new Size(constant, kept) : undefined;
  }

  /** The product of sizes divided by that of others, where each that is not constant cancels, but for one. */
  static quotient(sizes: readonly Size[], divisors: readonly Size[]): Size | undefined {
    const left = sizes.filter(({ isConstant }) => !isConstant);
    for (const divisor of divisors) {
      if (divisor.isConstant) continue;
      const at = left.findIndex(({ key }) => key === divisor.key);
      if (at < 0) return undefined;
      left.splice(at, 1);
    }
    if (left.length > 1) return undefined;
    const product = (of: readonly Size[]) =>
      of.reduce((so, { isConstant, constant }) => so * (isConstant ? constant : 1), 1);
    return (left[0] ?? Size.of(1)).times(Size.of(product(sizes)))?.over(product(divisors));
  }
}
