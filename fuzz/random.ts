import { random } from '../src/statistics/random.js';

/** Seeded choices: a target's case depends only on its seed and its number, so it can be repeated. */
export class Random {
  readonly next: () => number;

  constructor(seed: number, index: number) {
    this.next = random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
  }

  /** 0 … n − 1 */
  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<T>(of: readonly T[]): T {
    if (of.length === 0) throw new RangeError('there is nothing to pick from');
    return of[this.below(of.length)]!;
  }

  /** Does one of the named ways and returns its name. */
  do(ways: Readonly<Record<string, () => unknown>>): string {
    const name = this.pick(Object.keys(ways));
    const detail = ways[name]!();
    return typeof detail === 'string' ? `${name}: ${detail}` : name;
  }
}
