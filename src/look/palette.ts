/**
 * How an expert looks everywhere: its letter, its colour in each kind of theme and its pattern. The colours come from a search
 * for a contrast of at least 3 : 1 to the editor background and the largest distances that 16 colours can have under normal
 * vision, protanopia, deuteranopia and tritanopia (test/unit/look/palette.test.ts). Colour is never the only channel.
 */

/** Strokes that distinguish experts without colour: over a cell on the page, as a line style under text in the editor. */
export const patterns = ['solid', 'rising', 'dots', 'cross'] as const;
export type Pattern = (typeof patterns)[number];

/** `ink` is the text colour that is readable on `fill`. */
export interface Colour {
  readonly fill: string;
  readonly ink: '#000000' | '#ffffff';
}

export interface ExpertStyle {
  /** The letter in the name of the theme colour (`gander.expertA`). */
  readonly letter: string;
  /** Dark and high contrast themes. */
  readonly dark: Colour;
  /** Light and high contrast light themes. */
  readonly light: Colour;
  readonly pattern: Pattern;
}

/** [dark, light], ordered so that the first few are the furthest apart. */
const fills: readonly (readonly [string, string])[] = [
  ['#afccfc', '#0061fe'],
  ['#ed101a', '#5b0205'],
  ['#3b73fd', '#010291'],
  ['#e9c905', '#857206'],
  ['#9c61b0', '#440555'],
  ['#19b18b', '#02503d'],
  ['#67fafe', '#0a9b9e'],
  ['#feddc7', '#a7826b'],
  ['#f269cb', '#89006d'],
  ['#d19bfc', '#77439d'],
  ['#bef666', '#6b9801'],
  ['#0ed894', '#0a734d'],
  ['#ba8b57', '#5c3805'],
  ['#58857b', '#063029'],
  ['#f99951', '#8c490a'],
  ['#8b8bfd', '#4002bd'],
];

export const colourCount = fills.length;

/** The slot of experts that have no colour of their own. */
export const quiet = -1;

/**
 * [count] each expert's colour, as an index for `expertStyle`; `quiet` for those without. Up to 16 experts have one each. In a
 * larger set only the 15 that are pinned or used most have one: a colour for two experts would distinguish neither.
 * @param used [count] how much each is used; an unused expert has a colour only if it is pinned
 */
export function slotsOf(count: number, used: ArrayLike<number>, pinned: readonly number[] = []): Int16Array {
  if (count <= colourCount) return Int16Array.from({ length: count }, (_, e) => e);
  const slots = new Int16Array(count).fill(quiet);
  const byUse = Array.from({ length: count }, (_, e) => e)
    .filter((e) => used[e]! > 0)
    .sort((a, b) => used[b]! - used[a]! || a - b);
  const coloured = [...new Set([...pinned, ...byUse])].slice(0, colourCount - 1);
  coloured.sort((a, b) => (used[b] ?? 0) - (used[a] ?? 0) || a - b).forEach((e, slot) => (slots[e] = slot));
  return slots;
}

/** WCAG relative luminance of `#rrggbb`. */
export function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const c = parseInt(hex.slice(at, at + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** WCAG contrast ratio, 1 to 21. */
export function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

function colour(fill: string): Colour {
  return { fill, ink: contrast(fill, '#000000') >= contrast(fill, '#ffffff') ? '#000000' : '#ffffff' };
}

/** A to Z, then AA, AB, … as in a spreadsheet. */
export function letters(index: number): string {
  const last = String.fromCharCode(65 + (index % 26));
  return index < 26 ? last : letters(Math.floor(index / 26) - 1) + last;
}

/** Cached, because every cell of a picture asks and the contrast of a text colour takes powers to compute. */
const styles: ExpertStyle[] = [];

/** @param slot from `slotsOf`: in a set of up to 16, the expert's index */
export function expertStyle(slot: number): ExpertStyle {
  return (styles[slot] ??= styleOf(slot));
}

function styleOf(slot: number): ExpertStyle {
  const [dark, light] = fills[slot]!;
  return {
    letter: letters(slot),
    dark: colour(dark),
    light: colour(light),
    pattern: patterns[slot % patterns.length]!,
  };
}
