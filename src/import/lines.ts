import { bytesInWords } from '../shared/bytes.js';
import { importLimits } from '../shared/limits.js';
import { unreadable } from './reader.js';

export interface Line {
  readonly text: string;
  /** From 1, for messages. */
  readonly number: number;
}

/** The lines that are not blank, one at a time: a long file does not fit one string. */
export function* linesOf(bytes: Uint8Array): Generator<Line> {
  const decoder = new TextDecoder();
  let number = 0;
  for (let at = 0; at < bytes.length;) {
    const found = bytes.indexOf(0x0a, at);
    const end = found < 0 ? bytes.length : found;
    number++;
    if (end - at > importLimits.line)
      throw unreadable(
        `line ${number} has ${bytesInWords(end - at)}, and at most ${bytesInWords(importLimits.line)} are read`,
      );
    const text = decoder.decode(bytes.subarray(at, end)).trim();
    if (text !== '') yield { text, number };
    at = end + 1;
  }
}

/** The first line of a file that is not blank, as far as it is there. */
export function firstLine(first: Uint8Array): string {
  return new TextDecoder().decode(first).trimStart().split(/\r?\n/, 1)[0]!;
}

/** A line that is not what its file is made of. */
export function oddLine({ text, number }: Line, wanted: string) {
  return unreadable(`line ${number} is ${JSON.stringify(text.slice(0, 60))}, not ${wanted}`);
}
