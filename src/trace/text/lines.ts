/** The lines of a text, and where they are in the document that it was taken from. Both count from 0. */

import type { Sequence, TokenRange } from '../model/trace.js';

/** [L] offsets of line starts in UTF-16 code units, the first 0. After a final line break an empty line follows, as in an editor. */
export function lineStarts(text: string): Int32Array {
  const starts = [0];
  for (const { index, 0: end } of text.matchAll(/\r\n|\r|\n/g)) starts.push(index + end.length);
  return Int32Array.from(starts);
}

/** The first and last line that a range of tokens fills; undefined if it does not fill whole lines, or if the text is unknown. */
export function wholeLines(
  { text, tokens }: Pick<Sequence, 'text' | 'tokens'>,
  [from, to]: TokenRange,
): readonly [first: number, last: number] | undefined {
  const [start, end] = [tokens.start?.[from] ?? -1, tokens.end?.[to - 1] ?? -1];
  if (text === undefined || start < 0 || end <= start) return undefined;
  const starts = lineStarts(text);
  const lineAt = (offset: number) => starts.findLastIndex((line) => line <= offset);
  const [first, last] = [lineAt(start), lineAt(end - 1)];
  const before = text.slice(starts[first], start);
  const after = text.slice(end, starts[last + 1] ?? text.length);
  return before.trim() === '' && after.trim() === '' ? [first, last] : undefined;
}

/** From line `line` of the text on, lines follow one another in the document from `at` on, until the next entry. */
export type LineRun = readonly [line: number, at: number];

/**
 * Where the lines are now, after edits. Each line is where the first of its remaining tokens is; a line with no tokens left
 * follows the line before it.
 *
 * @param start [T] offsets of the tokens in the text; −1: no text
 * @param now [T] offsets of the same tokens in the document; −1: deleted
 * @param lineAt the line of an offset in the document
 * @param first line of the document at which the text begins
 */
export function runsNow(
  starts: Int32Array,
  start: Int32Array,
  now: Int32Array,
  lineAt: (offset: number) => number,
  first: number,
): LineRun[] {
  const runs: [number, number][] = [[0, first]];
  let line = 0;
  let seen = -1;
  for (let t = 0; t < now.length; t++) {
    if (start[t]! < 0 || now[t]! < 0) continue;
    while (line + 1 < starts.length && starts[line + 1]! <= start[t]!) line++;
    if (line === seen) continue;
    seen = line;
    const at = lineAt(now[t]!);
    const [from, base] = runs.at(-1)!;
    if (at - line === base - from) continue;
    if (from === line) runs.pop();
    runs.push([line, at]);
  }
  return runs;
}

/** The document's line for a line of the text; for a deleted line, the place where it was. */
export function documentLine(runs: readonly LineRun[], line: number): number {
  let i = 0;
  while (i + 1 < runs.length && runs[i + 1]![0] <= line) i++;
  const [from, at] = runs[i]!;
  return Math.min(at + line - from, runs[i + 1]?.[1] ?? Infinity);
}

/** The text's line for a line of the document; for an inserted line, the line before it. Negative above the text. */
export function textLine(runs: readonly LineRun[], line: number): number {
  let i = 0;
  while (i + 1 < runs.length && runs[i + 1]![1] <= line) i++;
  const [from, at] = runs[i]!;
  return Math.min(from + line - at, (runs[i + 1]?.[0] ?? Infinity) - 1);
}
