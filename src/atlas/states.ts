/** Schemas for reading the saved sums of an atlas. */
import { z } from 'zod';

export const floats = (length: number) =>
  z.instanceof(Float64Array).refine((values) => values.length === length, { error: `not ${length} numbers` });

/** Sums that are exact beyond 2^53. */
export const exact = (length: number) => z.object({ high: floats(length), low: floats(length) });

export const exactMeans = (length: number) => exact(length).extend({ counts: floats(length) });

/** Sorted by key, so that what is written does not depend on the order of insertion. */
export function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
