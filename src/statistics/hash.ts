/** Hashes numbers to 32 evenly distributed bits (the finaliser of MurmurHash3, Austin Appleby, public domain). */
export function mixed(...words: readonly number[]): number {
  let hash = 0;
  for (const word of words) {
    hash = Math.imul(hash ^ word, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) ^ words.length;
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}
