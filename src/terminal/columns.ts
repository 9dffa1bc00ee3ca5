/** Text in columns as wide as it looks in a terminal. */
import widthOf from 'string-width';
import type { Paint } from './paint.js';

const segmenter = new Intl.Segmenter();

/** Cut to a width with an ellipsis. The text must not be painted yet. */
export function fit(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let out = '';
  let left = width - 1;
  for (const { segment } of segmenter.segment(text)) {
    left -= widthOf(segment);
    if (left < 0) break;
    out += segment;
  }
  return `${out}…`;
}

export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(text)));
  return align === 'left' ? text + space : space + text;
}

/**
 * Rows in columns set apart by two spaces, each as wide as its widest cell; no spaces at a line's end.
 * @param align a letter for each column: l or r
 */
export function columns(rows: readonly (readonly string[])[], align: string): string[] {
  const widths = Array.from(align, (_, i) => rows.reduce((most, row) => Math.max(most, widthOf(row[i] ?? '')), 0));
  return rows.map((row) =>
    row
      .map((cell, i) => pad(cell, widths[i]!, align[i] === 'r' ? 'right' : 'left'))
      .join('  ')
      .trimEnd(),
  );
}

/** Columns under their heads. @param align as `columns` takes it */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  align: string,
  paint: Paint,
): string {
  const [first, ...others] = columns([head, ...rows], align);
  return [paint.dim(first!), ...others, ''].join('\n');
}
