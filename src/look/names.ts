/** Two names of one thing, said together. */

/** C++ and C# are words, too. */
const word = /[\p{L}\p{M}\p{N}+#]+/gu;

const wordsOf = (name: string): string[] => name.toLowerCase().match(word) ?? [];

/** Whether a name has all words of another in it: "Technical prose" says "prose", but "CSS" does not say "C". */
export function says(name: string, other: string): boolean {
  const [all, some] = [wordsOf(name), wordsOf(other)];
  if (some.length === 0) return name.includes(other.trim());
  return ` ${all.join(' ')} `.includes(` ${some.join(' ')} `);
}
