/** Colours, in a terminal that has them. */
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

export const unpainted: Paint = { bold: (t) => t, dim: (t) => t, warn: (t) => t, expert: (_, t) => t };

/** Colours only in a terminal, and not where NO_COLOR asks for none (https://no-color.org). */
export function painter(screen: Screen, env: NodeJS.ProcessEnv = process.env): Paint {
  if (!screen.isTTY || env['NO_COLOR'] || env['TERM'] === 'dumb') return unpainted;
  const depth = screen.getColorDepth?.(env) ?? 1;
  if (depth < 4) return unpainted;
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
