/** The test of whether a unit is specialised in a label or avoids it (docs/atlas.md), and what a label lacks to pass it. */
import { level } from './tables/table.js';

/** A lift of at least this in size, which is twice or half as often, and a q of at most that. */
export const asked = { lift: 1, q: level } as const;

export const failures = ['small', 'chance', 'halves'] as const;
export type Failure = (typeof failures)[number];

export interface Tested {
  readonly lift: number;
  readonly q: number;
  /** The lift in each half of the corpus. */
  readonly halves: readonly [number, number];
}

/** The parts of the test that fail; none of them for a unit that is specialised. */
export function failuresOf({ lift, q, halves }: Tested): Failure[] {
  const fails: Readonly<Record<Failure, boolean>> = {
    small: !(Math.abs(lift) >= asked.lift),
    chance: !(q <= asked.q),
    halves: halves.some((half) => !(half * lift > 0)),
  };
  return failures.filter((one) => fails[one]);
}
