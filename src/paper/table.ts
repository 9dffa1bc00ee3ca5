import type { Look } from './look.js';
import { widthOf } from './metrics.js';
import type { TablePlot } from './plot.js';
import { cut, lineHeight, type Sheet } from './sheet.js';

/** A longer table is for its data file. */
const most = 60;
const gap = 8;
/** Bold letters are wider. */
const bold = 1.1;

/** Returns the height. Columns that do not fit are narrowed together, and their heads wrap; numbers stand at the right of theirs. */
export function drawTable(sheet: Sheet, look: Look, { head, rows }: TablePlot, width: number): number {
  const shown = rows.slice(0, most);
  const ofBody = head.map((_, c) => Math.max(0, ...shown.map((row) => widthOf(row[c] ?? ''))));
  const ofWords = head.map((title) => Math.max(...title.split(' ').map((word) => bold * widthOf(word))));
  const room = width - gap * (head.length - 1);
  const widths = fittedTo(
    head.map((_, c) => Math.max(ofBody[c]!, ofWords[c]!)),
    room,
  );
  const isNumber = head.map((_, c) => shown.length > 0 && shown.every((row) => number.test(row[c] ?? '')));
  const whole = widths.reduce((sum, wide) => sum + wide, gap * (head.length - 1));
  const line = (cells: readonly string[], y: number, isBold: boolean): void => {
    let x = 0;
    cells.forEach((text, c) => {
      const wide = widths[c]!;
      const own = cut(text, isBold ? wide / bold : wide);
      if (isNumber[c]) sheet.text(own, x + wide, y, look.ink, { anchor: 'end', isBold });
      else sheet.text(own, x, y, look.ink, { isBold });
      x += wide + gap;
    });
  };
  const rule = (y: number, thick: number) => sheet.line([0, y, whole, y], look.ink, { width: thick });
  const heads = head.map((title, c) => wrapped(title, widths[c]! / bold));
  const high = Math.max(0, ...heads.map((lines) => lines.length));
  let y = 1;
  rule(y, 0.8);
  for (let i = 0; i < high; i++)
    line(
      heads.map((lines) => lines[i] ?? ''),
      (y += lineHeight) - 1,
      true,
    );
  if (high > 0) rule((y += 3), 0.5);
  for (const row of shown) line(row, (y += lineHeight) - 1, false);
  rule((y += 3), 0.8);
  if (rows.length > most) sheet.text(`… ${rows.length - most}`, 0, (y += lineHeight), look.ink);
  return y + 2;
}

const number = /^([−+-]?<?\d.*|[–∞]|)$/;

/** Lines that fit; none for no text. */
function wrapped(text: string, room: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ').filter(Boolean)) {
    const longer = lines.length > 0 ? `${lines.at(-1)!} ${word}` : word;
    if (lines.length > 0 && widthOf(longer) <= room) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** The widest columns give way until all fit. */
function fittedTo(wanted: readonly number[], room: number): number[] {
  let [low, high] = [0, Math.max(...wanted, 1)];
  const total = (limit: number) => wanted.reduce((sum, wide) => sum + Math.min(wide, limit), 0);
  if (total(high) <= room) return [...wanted];
  for (let i = 0; i < 30; i++) {
    const middle = (low + high) / 2;
    if (total(middle) <= room) low = middle;
    else high = middle;
  }
  return wanted.map((wide) => Math.min(wide, low));
}
