/** How the page names tokens. */
import { tokenText, visible } from '../../src/trace/text/label.js';
import type { Sequence } from '../../src/trace/model/trace.js';
import { t as word } from './strings.js';

/** The word for a piece of whitespace. */
export function blank(text: string): string {
  return word(/[\r\n]/.test(text) ? 'lineEnd' : text.includes('\t') ? 'tab' : 'space');
}

/** For a screen reader, which skips symbols. */
export function spoken(sequence: Sequence, t: number): string {
  const text = tokenText(sequence, t);
  return /^\s+$/.test(text) ? blank(text) : visible(text.trim());
}

/** For the eye, among other words: they would be taken for a sentence without the quotes. */
export function quoted(sequence: Sequence, t: number): string {
  const text = tokenText(sequence, t);
  return /^\s+$/.test(text) ? blank(text) : `“${visible(text.trim())}”`;
}
