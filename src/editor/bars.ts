/** Small charts made of text, as a hover has them. */

const heights = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** One character a value, its height by the value's part of `most`; a space for 0 and for what is not a number. */
export function spark(values: Iterable<number>, most: number): string {
  return Array.from(values, (value) => {
    const share = Math.min(1, value / most);
    return share > 0 ? heights[Math.min(heights.length - 1, Math.floor(share * heights.length))]! : ' ';
  }).join('');
}

/** At most `most` values, each the mean of equally many neighbours; of the last there may be fewer. */
export function thinned(values: readonly number[], most: number): number[] {
  const each = Math.max(1, Math.ceil(values.length / most));
  return Array.from({ length: Math.ceil(values.length / each) }, (_, i) => {
    const group = values.slice(i * each, (i + 1) * each);
    return group.reduce((sum, value) => sum + value, 0) / group.length;
  });
}

/** To the width of the widest, cut where that is over `limit`. */
export function column(texts: readonly string[], limit: number): string[] {
  const cut = texts.map((text) => (text.length > limit ? `${text.slice(0, limit - 1)}…` : text));
  const width = Math.max(0, ...cut.map((text) => text.length));
  return cut.map((text) => text.padEnd(width));
}
