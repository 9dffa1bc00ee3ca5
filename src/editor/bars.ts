/** Small charts made of text, as a hover has them. */

const heights = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** One character a value, its height by the value's part of `most`; a space for 0 and for what is not a number. */
export function spark(values: Iterable<number>, most: number): string {
  return Array.from(values, (value) => {
    const share = Math.min(1, value / most);
    return share > 0 ? heights[Math.min(heights.length - 1, Math.floor(share * heights.length))]! : ' ';
  }).join('');
}

/** To the width of the widest, cut where that is over `limit`. */
export function column(texts: readonly string[], limit: number): string[] {
  const cut = texts.map((text) => (text.length > limit ? `${text.slice(0, limit - 1)}…` : text));
  const width = Math.max(0, ...cut.map((text) => text.length));
  return cut.map((text) => text.padEnd(width));
}
