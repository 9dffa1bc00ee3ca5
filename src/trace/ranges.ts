import type { TokenRange } from './trace.js';

/** Whether a token is in any of some ranges. */
export const isWithin = (ranges: readonly TokenRange[], t: number): boolean =>
  ranges.some(([from, to]) => from <= t && t < to);
