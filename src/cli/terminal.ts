/** What is drawn in a terminal: colours where it has them, columns as wide as their characters look. */
import { expertStyle } from '../shared/palette.js';

/** What a stream can show. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  getColorDepth?(env?: NodeJS.ProcessEnv): number;
}

export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly warn: (text: string) => string;
  /** In the expert's colour. */
  readonly expert: (e: number, text: string) => string;
}

const none: Paint = { bold: (t) => t, dim: (t) => t, warn: (t) => t, expert: (_, t) => t };

/** Colours only in a terminal, and not where NO_COLOR asks for none (https://no-color.org). */
export function painter(screen: Screen, env: NodeJS.ProcessEnv = process.env): Paint {
  if (!screen.isTTY || env['NO_COLOR'] || env['TERM'] === 'dumb') return none;
  const depth = screen.getColorDepth?.(env) ?? 1;
  if (depth < 4) return none;
  const sgr = (on: string, off: number) => (text: string) => `\u001b[${on}m${text}\u001b[${off}m`;
  return {
    bold: sgr('1', 22),
    dim: sgr('2', 22),
    warn: sgr('33', 39),
    expert: (e, text) => sgr(foreground(e, depth), 39)(text),
  };
}

function foreground(e: number, depth: number): string {
  if (depth < 8) return String(31 + (e % 6));
  const { fill } = expertStyle(e).dark;
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(fill.slice(at, at + 2), 16)) as [number, number, number];
  if (depth >= 24) return `38;2;${r};${g};${b}`;
  const step = (c: number) => Math.round((c / 255) * 5);
  return `38;5;${16 + 36 * step(r) + 6 * step(g) + step(b)}`;
}

const segmenter = new Intl.Segmenter();
const wide =
  /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}])/u;
// eslint-disable-next-line no-control-regex -- what `painter` adds
const sgrCodes = /\u001b\[[\d;]*m/g;

/** Columns that a text takes in a terminal. */
export function widthOf(text: string): number {
  let width = 0;
  for (const { segment } of segmenter.segment(text.replace(sgrCodes, ''))) {
    if (!/^[\p{Mn}\p{Me}]/u.test(segment)) width += wide.test(segment) || segment.includes('\ufe0f') ? 2 : 1;
  }
  return width;
}

/** Cut to a width with an ellipsis. The text must not be painted yet. */
export function fit(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let out = '';
  for (const { segment } of segmenter.segment(text)) {
    if (widthOf(out + segment) > width - 1) break;
    out += segment;
  }
  return `${out}…`;
}

export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(text)));
  return align === 'left' ? text + space : space + text;
}

/** A bar of eighths of a character; share 0..1. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  return '█'.repeat(eighths >> 3) + (eighths % 8 ? ' ▏▎▍▌▋▊▉'[eighths % 8]! : '');
}

/**
 * Columns set apart by two spaces, each as wide as its widest cell; no spaces at a line's end.
 * @param align a letter for each column: l or r
 */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  align: string,
  paint: Paint,
): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => widthOf(row[i] ?? ''))));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => pad(cell, widths[i]!, align[i] === 'r' ? 'right' : 'left'))
      .join('  ')
      .trimEnd();
  return [paint.dim(line(head)), ...rows.map(line), ''].join('\n');
}
