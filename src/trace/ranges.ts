import type { TokenRange } from './trace.js';

/** Whether a token is in any of some ranges. */
export const isWithin = (ranges: readonly TokenRange[], t: number): boolean =>
  ranges.some(([from, to]) => from <= t && t < to);

/** A part of a text as one word, which the page remembers. */
export const rangeKey = (sequence: number, [from, to]: TokenRange): string => `tokens ${sequence} ${from}-${to}`;

/** Undefined where a key is of no such part. */
export function rangeOfKey(key: string): { readonly sequence: number; readonly range: TokenRange } | undefined {
  const [, sequence, from, to] = /^tokens (\d+) (\d+)-(\d+)$/.exec(key)?.map(Number) ?? [];
  return sequence === undefined ? undefined : { sequence, range: [from!, to!] };
}
