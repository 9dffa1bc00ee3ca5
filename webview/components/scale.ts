/** A straight scale from numbers to pixels, with its ticks. Pure. */
export interface Scale {
  readonly at: (value: number) => number;
  /** The value at a pixel. */
  readonly back: (pixel: number) => number;
  readonly range: readonly [from: number, to: number];
  /** Round numbers, about so many, from one end to the other. */
  readonly ticks: (count: number) => number[];
  /** Decimals with which ticks can be told apart. */
  readonly digits: (count: number) => number;
}

export function scaleOf([low, high]: readonly [number, number], range: readonly [number, number]): Scale {
  const [from, to] = range;
  const width = high - low || 1;
  return {
    at: (value) => from + ((value - low) / width) * (to - from),
    back: (pixel) => low + ((pixel - from) / (to - from)) * width,
    range,
    ticks: (count) => {
      const step = stepOf(width / count);
      // Whole multiples of whole numbers: 3 × 0.1 is not 0.3.
      const per = step < 1 ? Math.round(1 / step) : 1;
      const by = step < 1 ? 1 : step;
      const first = Math.ceil(((low * per) / by) * (1 - 1e-12));
      const last = Math.floor(((high * per) / by) * (1 + 1e-12));
      return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => ((first + i) * by) / per);
    },
    digits: (count) => Math.max(0, -Math.floor(Math.log10(stepOf(width / count)) + 1e-12)),
  };
}

/** 1, 2 or 5 times a power of ten: the one nearest. */
function stepOf(wanted: number): number {
  const power = 10 ** Math.floor(Math.log10(wanted));
  const rest = wanted / power;
  // Nearest by ratio: the borders are the geometric means.
  return power * (rest >= Math.sqrt(50) ? 10 : rest >= Math.sqrt(10) ? 5 : rest >= Math.SQRT2 ? 2 : 1);
}
