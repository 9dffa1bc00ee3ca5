/** A text longer than the context, in parts that fit. */
import { GanderError } from '../errors/errors.js';

/** A part of a text, its offset in UTF-16 code units, and its result. */
export interface Part<T> {
  readonly text: string;
  readonly at: number;
  readonly result: T;
}

/** Runs a text. If it is refused as too long, it is cut in two until its parts fit, which are run one after another. */
export async function* inParts<T>(text: string, run: (part: string) => Promise<T>, at = 0): AsyncGenerator<Part<T>> {
  let result: T;
  try {
    result = await run(text);
  } catch (thrown) {
    const middle = half(text);
    if (!(thrown instanceof GanderError && thrown.code === 'text-too-long') || middle === undefined) throw thrown;
    yield* inParts(text.slice(0, middle), run, at);
    yield* inParts(text.slice(middle), run, at + middle);
    return;
  }
  yield { text, at, result };
}

/** Where to cut a text in two: after the last line end before the middle, or else at the middle, never inside a character. */
export function half(text: string): number | undefined {
  const middle = text.length >> 1;
  if (middle === 0) return undefined;
  const line = text.lastIndexOf('\n', middle - 1) + 1;
  if (line > text.length / 4) return line;
  return /[\ud800-\udbff]/.test(text[middle - 1]!) ? middle - 1 || undefined : middle;
}
