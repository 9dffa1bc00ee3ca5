/** Small charts made of text, for where there is nothing but text. */

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const heights = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** A bar of at most `width` characters for a share of 1, padded to that width. */
export function bar(share: number, width: number): string {
  const filled = Math.round(clamp(share) * width * 8);
  return ('█'.repeat(Math.floor(filled / 8)) + eighths[filled % 8]!).padEnd(width);
}

/** One character a value, its height by the value's part of `most`; a space for 0 and for what is not a number. */
export function spark(values: Iterable<number>, most: number): string {
  return Array.from(values, (value) => {
    const share = clamp(value / most);
    return share > 0 ? heights[Math.min(heights.length - 1, Math.floor(share * heights.length))]! : ' ';
  }).join('');
}

/** To the width of the widest, cut where that is over `limit`. */
export function column(texts: readonly string[], limit: number): string[] {
  const cut = texts.map((text) => (text.length > limit ? `${text.slice(0, limit - 1)}…` : text));
  const width = Math.max(0, ...cut.map((text) => text.length));
  return cut.map((text) => text.padEnd(width));
}

function clamp(share: number): number {
  return share > 0 ? Math.min(1, share) : 0;
}
