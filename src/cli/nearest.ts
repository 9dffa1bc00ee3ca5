import { closest, distance } from 'fastest-levenshtein';

/** The word that was probably meant: it differs in at most a third of the typed letters. */
export function nearest(typed: string, words: readonly string[]): string | undefined {
  if (words.length === 0) return undefined;
  const best = closest(typed, words);
  return distance(typed, best) <= Math.ceil(typed.length / 3) ? best : undefined;
}
