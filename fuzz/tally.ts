import type { Case } from './run.js';

/** The results of a target's cases so far; plain data, so that they can be stored and continued. */
export interface Tally {
  readonly seed: number;
  cases: number;
  readonly outcomes: Record<string, number>;
  /** Number of guarded children that cases ended. */
  ended: number;
  slowest: number;
  peak: number;
  readonly faults: { readonly index: number; readonly how: string; readonly problems: readonly string[] }[];
}

export function emptyTally(seed: number): Tally {
  return { seed, cases: 0, outcomes: {}, ended: 0, slowest: 0, peak: 0, faults: [] };
}

export function count(tally: Tally, { index, how, outcome, milliseconds, peak, ended, problems }: Case): void {
  tally.cases++;
  tally.outcomes[outcome] = (tally.outcomes[outcome] ?? 0) + 1;
  if (ended) tally.ended++;
  tally.slowest = Math.max(tally.slowest, milliseconds);
  tally.peak = Math.max(tally.peak, peak);
  if (problems.length > 0) tally.faults.push({ index, how, problems });
}

/** A summary of a target's results, in two lines. */
export function tallyText(name: string, { cases, outcomes, ended, slowest, peak, faults }: Tally): string {
  const counts = Object.entries(outcomes)
    .sort(([, a], [, b]) => b - a)
    .map(([outcome, n]) => `${outcome} ${n}`);
  const figures = `${cases} cases, ${faults.length} faults, ${ended} children ended, slowest ${(slowest / 1000).toFixed(1)} s, most memory ${Math.round(peak / 1e6)} MB`;
  return `${name}: ${figures}\n  ${counts.join(', ')}`;
}
