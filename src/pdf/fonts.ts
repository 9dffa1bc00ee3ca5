/** Arimo, whose letters are as wide as those of Helvetica and Arial. */
import cyrillic from '@fontsource/arimo/files/arimo-cyrillic-400-normal.woff';
import greek from '@fontsource/arimo/files/arimo-greek-400-normal.woff';
import latinBold from '@fontsource/arimo/files/arimo-latin-700-normal.woff';
import latin from '@fontsource/arimo/files/arimo-latin-400-normal.woff';
import latinExt from '@fontsource/arimo/files/arimo-latin-ext-400-normal.woff';
import { letters } from '../paper/letters.js';
import type { Font, Fonts } from './write.js';

const others: readonly Font[] = [
  { name: 'latin-ext', bytes: latinExt, letters: letters.latinExt },
  { name: 'greek', bytes: greek, letters: letters.greek },
  { name: 'cyrillic', bytes: cyrillic, letters: letters.cyrillic },
];

export const arimo: Fonts = {
  plain: [{ name: 'latin', bytes: latin, letters: letters.latin }, ...others],
  bold: [{ name: 'latin-bold', bytes: latinBold, letters: letters.latin }, ...others],
};
