/** The colours of the editor's theme, for a figure as it is seen. */
import type { Look } from '../../src/paper/look.js';
import { channels, colourOf, hexOf, type Theme } from '../look/theme.js';

export function lookOf(theme: Theme): Look {
  const hex = (colour: string) => hexOf(channels(colour));
  return {
    background: hex(theme.background),
    ink: hex(theme.foreground),
    faint: hex(theme.faint),
    line: hex(theme.faint),
    main: hex(theme.gain),
    hues: [hex(theme.difference), hex(theme.gain)],
    expert: (slot) => {
      const { fill, ink } = colourOf(slot, theme);
      return { fill: hex(fill), ink };
    },
  };
}
