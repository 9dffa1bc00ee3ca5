/** Colours, if the terminal has them. */
import { expertStyle, quiet } from '../look/palette.js';

/** What a stream can display. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  getColorDepth?(env?: NodeJS.ProcessEnv): number;
}

export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly warn: (text: string) => string;
  /** In the colour of a palette slot; dim for experts without a colour of their own. */
  readonly slot: (slot: number, text: string) => string;
}

export const unpainted: Paint = { bold: (t) => t, dim: (t) => t, warn: (t) => t, slot: (_, t) => t };

/** Colours only in a terminal, and not if NO_COLOR is set (https://no-color.org). */
export function painter(screen: Screen, env: NodeJS.ProcessEnv = process.env): Paint {
  if (!screen.isTTY || env['NO_COLOR'] || env['TERM'] === 'dumb') return unpainted;
  const depth = screen.getColorDepth?.(env) ?? 1;
  if (depth < 4) return unpainted;
  const sgr = (on: string, off: number) => (text: string) => `\u001b[${on}m${text}\u001b[${off}m`;
  const dim = sgr('2', 22);
  return {
    bold: sgr('1', 22),
    dim,
    warn: sgr('33', 39),
    slot: (slot, text) => (slot === quiet ? dim(text) : sgr(foreground(slot, depth), 39)(text)),
  };
}

function foreground(slot: number, depth: number): string {
  // Six hues, then their bright variants: too few for all slots, but the short label stands beside them.
  if (depth < 8) return String((slot % 12 < 6 ? 31 : 91) + (slot % 6));
  const { fill } = expertStyle(slot).dark;
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(fill.slice(at, at + 2), 16)) as [number, number, number];
  if (depth >= 24) return `38;2;${r};${g};${b}`;
  const step = (c: number) => Math.round((c / 255) * 5);
  return `38;5;${16 + 36 * step(r) + 6 * step(g) + step(b)}`;
}
