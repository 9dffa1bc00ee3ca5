import type { TokenRange } from './trace.js';

/** [T] 1 for each token in any of the ranges. One pass over them, because there may be half as many ranges as tokens. */
export function tokensWithin(ranges: readonly TokenRange[], count: number): Uint8Array {
  const within = new Uint8Array(count);
  // Ranges may overlap: fill only what lies after the last filled token.
  let filled = 0;
  for (const [from, to] of ascending(ranges)) {
    within.fill(1, Math.max(from, filled), Math.max(to, filled));
    filled = Math.max(to, filled);
  }
  return within;
}

const ascending = (ranges: readonly TokenRange[]) => [...ranges].sort((a, b) => a[0] - b[0]);

/** A range of tokens as a string that the page can remember. */
export const rangeKey = (sequence: number, [from, to]: TokenRange): string => `tokens ${sequence} ${from}-${to}`;

/** Undefined if the key is not that of a range. */
export function rangeOfKey(key: string): { readonly sequence: number; readonly range: TokenRange } | undefined {
  const [, sequence, from, to] = /^tokens (\d+) (\d+)-(\d+)$/.exec(key)?.map(Number) ?? [];
  return sequence === undefined ? undefined : { sequence, range: [from!, to!] };
}
