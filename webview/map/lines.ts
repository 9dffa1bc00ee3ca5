/** The rows of a line map: the lines of a sequence's text, with long ones in pieces. Pure. */
import { isSpecial } from '../../src/trace/model/access.js';
import { lineStarts } from '../../src/trace/text/lines.js';
import type { Sequence } from '../../src/trace/model/trace.js';

/** L rows of one sequence's text: one per line, or per piece of a long line. */
export interface Lines {
  readonly count: number;
  /** [L] the first token that begins in the row, and past its last; −1 if none does. */
  readonly first: Int32Array;
  readonly end: Int32Array;
  /** [T] the row that a token begins in; −1 if it stands for no text. */
  readonly of: Int32Array;
  /** [L] 1 for a row without text that can be seen. */
  readonly blank: Uint8Array;
  /** [L] the row's line in the text, from 0, and where the row begins in the text, in UTF-16 code units. */
  readonly line: Int32Array;
  readonly start: Int32Array;
}

/** Characters per piece: about what an editor shows without scrolling sideways. */
const longest = 160;

/** Undefined if the source does not say which text its tokens stand for. */
export function linesOf(sequence: Sequence): Lines | undefined {
  const { text, tokens } = sequence;
  if (text === undefined || !tokens.start) return undefined;
  const begins = lineStarts(text);
  const [line, start]: [number[], number[]] = [[], []];
  begins.forEach((from, n) => {
    // No text is behind the last line break. Of a selection that ends there, the line is one of which nothing is selected.
    if (n > 0 && from === text.length) return;
    const to = begins[n + 1] ?? text.length;
    for (let at = from; at === from || at < to; at += longest) {
      line.push(n);
      start.push(at);
    }
  });
  const count = line.length;
  const blank = Uint8Array.from(start, (at, i) => (/\S/.test(text.slice(at, start[i + 1])) ? 0 : 1));
  const [first, end] = [new Int32Array(count).fill(-1), new Int32Array(count).fill(-1)];
  const of = new Int32Array(tokens.count).fill(-1);
  let row = 0;
  for (let t = 0; t < tokens.count; t++) {
    const at = tokens.start[t]!;
    if (at < 0 || isSpecial(sequence, t)) continue;
    while (row + 1 < count && start[row + 1]! <= at) row++;
    of[t] = row;
    if (first[row]! < 0) first[row] = t;
    end[row] = t + 1;
  }
  return { count, first, end, of, blank, line: Int32Array.from(line), start: Int32Array.from(start) };
}
