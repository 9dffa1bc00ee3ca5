import { closest, distance } from 'fastest-levenshtein';

/** Former names, which no spelling leads to. */
const renamed: Readonly<Record<string, string>> = { '--tilt': '--logit-bias', lens: 'logit-lens' };

/** The word that was probably meant: it differs in at most a third of the typed letters. */
export function nearest(typed: string, words: readonly string[]): string | undefined {
  const present = Object.hasOwn(renamed, typed) ? renamed[typed]! : typed;
  if (words.includes(present)) return present;
  if (words.length === 0) return undefined;
  const best = closest(typed, words);
  return distance(typed, best) <= Math.ceil(typed.length / 3) ? best : undefined;
}
