/** How tokens are written on the page. */
import { isSpecial } from '../src/trace/access.js';
import { tokenText, visible } from '../src/trace/label.js';
import type { Trace } from '../src/trace/trace.js';
import { t as word } from './strings.js';

export { visible };

/** The document's own characters under a token; empty where it shares a character with the token before (bytes of an emoji). */
export function covered(trace: Trace, t: number): string {
  const { start, end } = trace.tokens;
  if (isSpecial(trace, t)) return '';
  const from = t > 0 ? Math.max(start[t]!, end[t - 1]!) : start[t]!;
  return trace.text.slice(from, Math.max(from, end[t]!));
}

/** For labels and tables: `␣function`, `⏎`, `<|endoftext|>`. */
export function label(trace: Trace, t: number): string {
  return visible(tokenText(trace, t));
}

/** Whitespace by name. */
export function blank(text: string): string {
  return word(/[\r\n]/.test(text) ? 'lineEnd' : text.includes('\t') ? 'tab' : 'space');
}

/** For a screen reader, which skips signs. */
export function spoken(trace: Trace, t: number): string {
  const text = tokenText(trace, t);
  return /^\s+$/.test(text) ? blank(text) : visible(text.trim());
}
