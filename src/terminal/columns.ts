/** Text in columns, by its width in a terminal. */
import widthOf from 'string-width';
import type { Paint } from './paint.js';

const segmenter = new Intl.Segmenter();

/** Cuts to a width, with an ellipsis. The text must not contain colour codes yet. */
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
 * Rows as aligned columns with two spaces between them, without spaces at the end of a line.
 * @param align one letter per column: l or r
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

/** Columns with a head. @param align as in `columns` */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  align: string,
  paint: Paint,
): string {
  const [first, ...others] = columns([head, ...rows], align);
  return [paint.dim(first!), ...others, ''].join('\n');
}
