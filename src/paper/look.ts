/** The colours that a figure is drawn in: those of paper, or of a theme. All are `#rrggbb`. */
import { type Colour, expertStyle, quiet } from '../look/palette.js';

export interface Look {
  readonly background: string;
  readonly ink: string;
  readonly faint: string;
  /** Axes and grid lines. */
  readonly line: string;
  /** What is drawn of a single run. */
  readonly main: string;
  /** The two hues of numbers: 0 is also that of a single scale. */
  readonly hues: readonly [string, string];
  /** @param slot from `slotsOf` */
  readonly expert: (slot: number) => Colour;
}

/** Whatever the editor's theme is. */
export const paper: Look = {
  background: '#ffffff',
  ink: '#000000',
  faint: '#4d4d4d',
  line: '#8c8c8c',
  main: '#1a5fb4',
  hues: ['#a34700', '#1a5fb4'],
  expert: (slot) => (slot === quiet ? { fill: '#a6a6a6', ink: '#000000' } : expertStyle(slot).light),
};

/** From one colour to another. @param share 0..1 */
export function blend(from: string, to: string, share: number): string {
  const part = (colour: string, at: number) => parseInt(colour.slice(at, at + 2), 16);
  const mixed = [1, 3, 5].map((at) => Math.round(part(from, at) + (part(to, at) - part(from, at)) * share));
  return `#${mixed.map((c) => c.toString(16).padStart(2, '0')).join('')}`;
}
