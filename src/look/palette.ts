/**
 * How an expert looks everywhere: its letter, its colour in each kind of theme and its pattern. The colours come from a search
 * for a contrast of at least 3 : 1 to the editor's background, a distance from the colour of its text, and the largest distances
 * from each other under normal vision, protanopia, deuteranopia and tritanopia, at full strength and at the weakest
 * (test/unit/look/palette.test.ts). Colour is never the only channel.
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

/** [dark, light], ordered so that the first few are the furthest apart; only the first twelve are far apart throughout. */
const fills: readonly (readonly [string, string])[] = [
  ['#2bbeff', '#0f00f7'],
  ['#ef0000', '#ae395f'],
  ['#91be11', '#838201'],
  ['#00f739', '#246700'],
  ['#ea88cc', '#830078'],
  ['#c04f7c', '#b670c9'],
  ['#a8ffa0', '#269c7e'],
  ['#0285aa', '#007792'],
  ['#f615bb', '#e327ff'],
  ['#b98975', '#fe4254'],
  ['#9c7dee', '#4d18be'],
  ['#ac32ff', '#7750cb'],
  ['#84ffff', '#564098'],
  ['#967045', '#bb44a2'],
  ['#86dc84', '#58742a'],
  ['#e76c00', '#db667c'],
];

/**
 * A measure, a change, or where a run does worse (`gander.measure`). VS Code's own orange is translucent since 1.139, and nothing at
 * all in high contrast themes, which ask for 7 : 1.
 */
export const measureColours = {
  dark: '#d18616',
  light: '#b35c00',
  highContrast: '#ffa348',
  highContrastLight: '#8a3c00',
} as const;

/** How much of its colour the weakest choice has: with less, experts could no longer be told apart. */
export const weakest = 0.65;

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

/** The text colour that is readable on `#rrggbb`. */
export function inkOn(fill: string): Colour['ink'] {
  return contrast(fill, '#000000') >= contrast(fill, '#ffffff') ? '#000000' : '#ffffff';
}

function colour(fill: string): Colour {
  return { fill, ink: inkOn(fill) };
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
