import type { TokenRange } from './trace.js';

/** [T] 1 for each token that is in any of some ranges: there may be half as many of these as of tokens. */
export function tokensWithin(ranges: readonly TokenRange[], count: number): Uint8Array {
  const within = new Uint8Array(count);
  // Past what is filled already nothing is to be filled again.
  let filled = 0;
  for (const [from, to] of ascending(ranges)) {
    within.fill(1, Math.max(from, filled), Math.max(to, filled));
    filled = Math.max(to, filled);
  }
  return within;
}

const ascending = (ranges: readonly TokenRange[]) => [...ranges].sort((a, b) => a[0] - b[0]);

/** A part of a text as one word, which the page remembers. */
export const rangeKey = (sequence: number, [from, to]: TokenRange): string => `tokens ${sequence} ${from}-${to}`;

/** Undefined where a key is of no such part. */
export function rangeOfKey(key: string): { readonly sequence: number; readonly range: TokenRange } | undefined {
  const [, sequence, from, to] = /^tokens (\d+) (\d+)-(\d+)$/.exec(key)?.map(Number) ?? [];
  return sequence === undefined ? undefined : { sequence, range: [from!, to!] };
}
