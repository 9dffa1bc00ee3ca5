/** A drawing: rectangles, lines and text, in points. Whatever writes a file of it needs to know no more. */
import { widthOf } from './metrics.js';

/** From one line of text to the next. */
export const lineHeight = 10;

export type Mark =
  | {
      readonly is: 'rect';
      readonly x: number;
      readonly y: number;
      readonly width: number;
      readonly height: number;
      readonly fill: string;
      /** Shown on hovering, where that is possible. */
      readonly title?: string;
    }
  | {
      readonly is: 'line';
      /** x and y of each point in turn. */
      readonly points: readonly number[];
      readonly stroke: string;
      readonly width: number;
      readonly isDashed?: boolean;
    }
  | {
      readonly is: 'text';
      /** Where its baseline begins, has its middle, or ends. */
      readonly x: number;
      readonly y: number;
      readonly text: string;
      readonly fill: string;
      readonly anchor: Anchor;
      /** Reads upwards. */
      readonly isTurned?: boolean;
      readonly isBold?: boolean;
      /** How wide it may be, from its beginning on: it is cut in the font that it is drawn in, which may be a wider one than here. */
      readonly room?: number;
    };

export type Anchor = 'start' | 'middle' | 'end';

export interface Drawing {
  /** What a screen reader says of it. */
  readonly title: string;
  readonly width: number;
  readonly height: number;
  readonly background: string;
  readonly marks: readonly Mark[];
}

/** Points per millimetre. */
export const perMm = 72 / 25.4;

/** Half of a capital's height: text whose baseline is this far below a point has its middle there. */
export const toMiddle = 2.9;

/** Marks while they are being drawn. */
export class Sheet {
  readonly marks: Mark[] = [];

  rect(x: number, y: number, width: number, height: number, fill: string, title?: string): void {
    if (width <= 0 || height <= 0) return;
    this.marks.push({ is: 'rect', x, y, width, height, fill, ...(title !== undefined && { title }) });
  }

  line(points: readonly number[], stroke: string, more: { readonly width?: number; readonly isDashed?: boolean } = {}) {
    this.marks.push({ is: 'line', points, stroke, width: 0.6, ...more });
  }

  text(
    text: string,
    x: number,
    y: number,
    fill: string,
    more: {
      readonly anchor?: Anchor;
      readonly isTurned?: boolean;
      readonly isBold?: boolean;
      readonly room?: number;
    } = {},
  ): void {
    if (text !== '') this.marks.push({ is: 'text', text, x, y, fill, anchor: 'start', ...more });
  }
}

/** As much of a text as fits. @param room in points @param wide of a text, in points */
export function cut(text: string, room: number, wide = widthOf): string {
  if (wide(text) <= room) return text;
  const all = Array.from(text);
  while (all.length > 0 && wide(`${all.join('')}…`) > room) all.pop();
  return all.length > 0 ? `${all.join('')}…` : '';
}

/** A text in lines that fit; a word that is longer than a line goes on in the next one. None for no text. @param room in points */
export function wrapped(text: string, room: number, isBold = false): string[] {
  const fits = (line: string) => widthOf(line, isBold) <= room;
  const lines: string[] = [];
  for (const word of text.split(' ').filter(Boolean)) {
    const longer = lines.length > 0 ? `${lines.at(-1)!} ${word}` : word;
    if (lines.length > 0 && fits(longer)) {
      lines[lines.length - 1] = longer;
      continue;
    }
    let rest = Array.from(word);
    while (!fits(rest.join('')) && rest.length > 1) {
      let count = rest.length - 1;
      while (count > 1 && !fits(rest.slice(0, count).join(''))) count--;
      lines.push(rest.slice(0, count).join(''));
      rest = rest.slice(count);
    }
    lines.push(rest.join(''));
  }
  return lines;
}
