/** Small charts made of text, for the hover. */

const heights = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** One character per value, with its height relative to `most`; a space for 0 and NaN. */
export function spark(values: Iterable<number>, most: number): string {
  return Array.from(values, (value) => {
    const share = Math.min(1, value / most);
    return share > 0 ? heights[Math.min(heights.length - 1, Math.floor(share * heights.length))]! : ' ';
  }).join('');
}

/** At most `most` values, each the mean of the same number of neighbours; the last group may be smaller. */
export function thinned(values: readonly number[], most: number): number[] {
  const each = Math.max(1, Math.ceil(values.length / most));
  return Array.from({ length: Math.ceil(values.length / each) }, (_, i) => {
    const group = values.slice(i * each, (i + 1) * each);
    return group.reduce((sum, value) => sum + value, 0) / group.length;
  });
}

/** Pads to the width of the widest text; texts longer than `limit` are cut. */
export function column(texts: readonly string[], limit: number): string[] {
  const cut = texts.map((text) => (text.length > limit ? `${text.slice(0, limit - 1)}…` : text));
  const width = Math.max(0, ...cut.map((text) => text.length));
  return cut.map((text) => text.padEnd(width));
}
