/** How answers are written. */
import { markdownCode, markdownTable } from '../trace/exports/markdown.js';
import { plain, tokenLabel } from '../trace/text/label.js';
import type { Sequence } from '../trace/model/trace.js';

export const table = markdownTable;

/** A word that a call may repeat exactly as it is. */
export const code = (text: string) => markdownCode(plain(text));

/** A cell of free text. */
export const cell = (text: string) => plain(text).replaceAll('|', '\\|');

export const tokenCode = (sequence: Sequence, t: number) => markdownCode(tokenLabel(sequence, t));

/** The parts of an answer, each after an empty line. */
export function answer(...parts: readonly (string | undefined)[]): string {
  return `${parts.filter((part) => part !== undefined && part !== '').join('\n\n')}\n`;
}

export interface Cut<T> {
  readonly shown: readonly T[];
  /** What is said if not all are shown. */
  readonly said: string | undefined;
}

/** The first of many. @param rest how to get the others */
export function atMost<T>(all: readonly T[], most: number, what: string, rest: string): Cut<T> {
  if (all.length <= most) return { shown: all, said: undefined };
  return { shown: all.slice(0, most), said: `Cut: ${most} of ${all.length} ${what} are shown. ${rest}` };
}

export const tokenMarks = 'In tokens, ␣ is a space, ⏎ a line end, → a tab.';
