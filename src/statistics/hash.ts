/** Hashes numbers to 32 evenly distributed bits (the finaliser of MurmurHash3, Austin Appleby, public domain). */
export function mixed(...words: readonly number[]): number {
  let hash = 0;
  for (const word of words) hash = mixedIn(hash, word, words.length);
  return hash >>> 0;
}

/** One word's part of `mixed`: what several hashes have in common at the beginning need not be computed again. @param of how many words */
export function mixedIn(hash: number, word: number, of: number): number {
  let value = Math.imul(hash ^ word, 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35) ^ of;
  return value ^ (value >>> 16);
}
