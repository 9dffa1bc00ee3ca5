/** How what a model wrote begins, by which runs that differ in nothing else are told apart. */
import type { PlainWord } from '../../words/words.js';
import { plain } from './label.js';

/** How much of it is shown, in UTF-16 code units. */
const shown = 40;

/** `generated “def median(values):…”`; undefined if nothing was written that can be seen. */
export function writtenWords(written: string, word: (key: PlainWord, value: string) => string): string | undefined {
  const text = written.trim().replace(/\s+/g, ' ');
  if (text === '') return undefined;
  return word('compareWrote', plain(text.slice(0, shown)) + (text.length > shown ? '…' : ''));
}
