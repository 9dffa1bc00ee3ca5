/** A linear scale from numbers to pixels, with its ticks. Pure. */
import { ticks, tickStep } from 'd3-array';

export interface Scale {
  readonly at: (value: number) => number;
  /** The value at a pixel. */
  readonly back: (pixel: number) => number;
  readonly range: readonly [from: number, to: number];
  /** About `count` round numbers, from one end to the other. */
  readonly ticks: (count: number) => number[];
  /** How many decimals it takes to tell the ticks apart. */
  readonly digits: (count: number) => number;
}

/** A scale of no width is extended to the next number. */
export function scaleOf([low, last]: readonly [number, number], range: readonly [number, number]): Scale {
  const [from, to] = range;
  const high = last === low ? low + 1 : last;
  return {
    at: (value) => from + ((value - low) / (high - low)) * (to - from),
    back: (pixel) => low + ((pixel - from) / (to - from)) * (high - low),
    range,
    ticks: (count) => ticks(low, high, count),
    digits: (count) => Math.max(0, -Math.floor(Math.log10(tickStep(low, high, count)) + 1e-12)),
  };
}
