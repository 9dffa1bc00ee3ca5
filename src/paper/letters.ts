/** The letters that a PDF's font has. SVG and PNG are written in the fonts of the machine that draws them, which has them all. */
import type { Drawing } from './sheet.js';

/** What each of Arimo's files has, as far as figures may need it: @fontsource/arimo/unicode.json. */
export const letters = {
  latin: /[ -~\u00a0-\u00ff\u0131\u0152\u0153\u02c6\u02dc\u2010-\u2027\u2030-\u205e\u20ac\u2122\u2191\u2193\u2212]/,
  latinExt: /[\u0100-\u02ba\u02bd-\u02ff\u1e00-\u1eff\u20a0-\u20c0\u2113]/,
  greek: /[\u0370-\u0377\u037a-\u037f\u0384-\u038a\u038c\u038e-\u03a1\u03a3-\u03ff]/,
  cyrillic: /[\u0400-\u045f\u0490\u0491\u2116]/,
} as const;

/** What stands for whitespace in tokens, in letters that the font has; for other letters, a question mark. */
export const instead: Readonly<Record<string, string>> = {
  '␣': '·',
  '⏎': '¶',
  '→': '»',
  '∅': 'Ø',
  '≠': '/=',
  '✓': '+',
};

/** The letters of a drawing that a PDF would have as question marks, each once. */
export function lostLetters({ marks }: Drawing): string[] {
  const used = new Set(marks.flatMap((mark) => (mark.is === 'text' ? Array.from(mark.text) : [])));
  const known = Object.values(letters);
  return [...used].filter((letter) => !Object.hasOwn(instead, letter) && !known.some((some) => some.test(letter)));
}
