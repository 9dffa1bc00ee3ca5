/** Short labels of experts (signs), for where there is no room for the name. */

/** Most characters of a sign that fit into a cell of the map. */
const longest = 3;

const known = new WeakMap<readonly { readonly name: string }[], readonly string[]>();

/**
 * A sign for each expert, made from its name and different from all others of the list: Python `Py`, TypeScript `TS`,
 * C++ `C++`, "Technical prose" `TP`. The same list has the same signs everywhere.
 */
export function shortLabelsOf(experts: readonly { readonly name: string }[]): readonly string[] {
  let shortLabels = known.get(experts);
  if (!shortLabels) {
    shortLabels = distinct(experts.map(({ name }) => name));
    known.set(experts, shortLabels);
  }
  return shortLabels;
}

/** Sign and name, or only the name if one can read the sign in it: "HTML", not "HTM HTML". */
export function labelledName(experts: readonly { readonly name: string }[], expert: number): string {
  const [shortLabel, { name }] = [shortLabelsOf(experts)[expert]!, experts[expert]!];
  return name.toLowerCase().includes(shortLabel.toLowerCase()) ? name : `${shortLabel} ${name}`;
}

function distinct(names: readonly string[]): string[] {
  const taken = new Set<string>();
  // A name short enough to be a sign comes first, wherever it is in the list: "C" is C, and CSS gets another.
  const short = names.map((name) => name.trim()).filter((name) => name !== '' && width(name) <= longest);
  for (const name of short) taken.add(name);
  const whole = new Set<string>();
  return names.map((name) => {
    const trimmed = name.trim();
    if (taken.has(trimmed) && !whole.has(trimmed)) {
      whole.add(trimmed);
      return trimmed;
    }
    for (const shortLabel of candidates(trimmed)) {
      if (taken.has(shortLabel)) continue;
      taken.add(shortLabel);
      return shortLabel;
    }
    throw new Error('numbers do not end');
  });
}

/** Candidates, better ones first; infinitely many. */
function* candidates(name: string): Generator<string> {
  const words = name.match(/\p{Lu}?\p{Ll}+|\p{Lu}+(?!\p{Ll})|\p{Lo}+|\p{N}+/gu) ?? [];
  const letters = Array.from(words.join(''));
  if (words.length > 1) yield Array.from(words.map(initial).join('')).slice(0, longest).join('');
  const [first = '', second = ''] = letters;
  const isAcronym = words.length === 1 && name === name.toUpperCase();
  const consonants = letters.filter((letter, i) => i === 0 || !/[aeiou]/i.test(letter));
  if (isAcronym) yield consonants.slice(0, longest).join('');
  const head = first.toUpperCase();
  if (second) yield head + second.toLowerCase();
  for (const letter of new Set(consonants.slice(1))) yield head + letter.toLowerCase();
  for (const letter of new Set(letters.slice(1))) yield head + letter.toLowerCase();
  for (let n = 2; ; n++) yield head + n.toString(36);
}

/** A word's initial; a number stays whole: "expert 12" is E12. */
const initial = (word: string): string =>
  /^\d/.test(word) ? word.slice(0, longest - 1) : Array.from(word)[0]!.toUpperCase();

const width = (text: string): number => Array.from(text).length;
