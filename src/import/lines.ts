import { bytesInWords } from '../formats/bytes.js';
import { importLimits } from '../checks/limits.js';
import { unreadable } from './unreadable.js';

export interface Line {
  readonly text: string;
  /** From 1, for messages. */
  readonly number: number;
}

/** Bytes that are decoded at once: decoding line by line takes ten times as long. */
const block = 2 ** 20;

/** The lines that are not blank, one at a time: a long file does not fit into one string. */
export function* linesOf(bytes: Uint8Array): Generator<Line> {
  const decoder = new TextDecoder();
  let number = 0;
  for (let at = 0; at < bytes.length;) {
    const end = endOfLines(bytes, at);
    if (end - at > importLimits.line)
      throw unreadable(
        `line ${number + 1} has ${bytesInWords(end - at)}, and at most ${bytesInWords(importLimits.line)} are read`,
      );
    for (const line of decoder.decode(bytes.subarray(at, end)).split('\n')) {
      number++;
      const text = line.trim();
      if (text !== '') yield { text, number };
    }
    at = end + 1;
  }
}

/** Where the last whole line ends in a block that begins at `at`; a longer line is a block of its own. */
function endOfLines(bytes: Uint8Array, at: number): number {
  if (bytes.length - at <= block) return bytes.length;
  const last = bytes.lastIndexOf(0x0a, at + block - 1);
  if (last >= at) return last;
  const next = bytes.indexOf(0x0a, at + block);
  return next < 0 ? bytes.length : next;
}

/** The first line of a file that is not blank, as far as `first` has it. */
export function firstLine(first: Uint8Array): string {
  return new TextDecoder().decode(first).trimStart().split(/\r?\n/, 1)[0]!;
}

/** The error for a line that does not fit its file. */
export function oddLine({ text, number }: Line, wanted: string) {
  return unreadable(`line ${number} is ${JSON.stringify(text.slice(0, 60))}, not ${wanted}`);
}
