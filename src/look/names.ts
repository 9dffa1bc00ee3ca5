/** Two names of one thing, said together, and things in the order of their names. */

/** C++ and C# are words, too. */
const word = /[\p{L}\p{M}\p{N}+#]+/gu;

const wordsOf = (name: string): string[] => name.toLowerCase().match(word) ?? [];

/** Whether a name has all words of another in it: "Technical prose" says "prose", but "CSS" does not say "C". */
export function says(name: string, other: string): boolean {
  const [all, some] = [wordsOf(name), wordsOf(other)];
  if (some.length === 0) return name.includes(other.trim());
  return ` ${all.join(' ')} `.includes(` ${some.join(' ')} `);
}

/** As one looks for a name in a menu, with numbers as numbers: expert 2 comes before expert 10. @param language a BCP 47 tag */
export function byName<T>(things: readonly T[], nameOf: (thing: T) => string, language: string): T[] {
  const { compare } = new Intl.Collator(language, { numeric: true });
  return things.toSorted((a, b) => compare(nameOf(a), nameOf(b)));
}
