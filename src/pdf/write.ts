/** A drawing as PDF: vectors, and text in a font that the file contains. */
import PDFDocument from 'pdfkit';
import { instead } from '../paper/letters.js';
import { textSize } from '../paper/metrics.js';
import type { Drawing, Mark } from '../paper/sheet.js';

export interface Font {
  readonly name: string;
  /** TrueType or WOFF. */
  readonly bytes: Uint8Array;
  /** The letters that it has. */
  readonly letters: RegExp;
}

/** For each letter the first font that has it is taken. */
export interface Fonts {
  readonly plain: readonly Font[];
  readonly bold: readonly Font[];
}

type Text = Extract<Mark, { is: 'text' }>;

export function writePdf({ title, width, height, background, marks }: Drawing, fonts: Fonts): Promise<Uint8Array> {
  const document = new PDFDocument({
    size: [width, height],
    margin: 0,
    // Without one of its own fonts, which it would read from a file and not embed.
    font: null as unknown as string,
    info: { Title: title, Creator: 'Gander' },
  });
  const parts: Uint8Array[] = [];
  const written = new Promise<Uint8Array>((resolve, reject) => {
    document.on('data', (part: Uint8Array) => parts.push(part));
    document.on('end', () => resolve(new Uint8Array(Buffer.concat(parts))));
    document.on('error', reject);
  });
  for (const { name, bytes } of [...fonts.plain, ...fonts.bold]) document.registerFont(name, Buffer.from(bytes));
  document.rect(0, 0, width, height).fill(background);
  for (const mark of marks) draw(document, mark, fonts);
  document.end();
  return written;
}

function draw(document: PDFKit.PDFDocument, mark: Mark, fonts: Fonts): void {
  switch (mark.is) {
    case 'rect':
      document.rect(mark.x, mark.y, mark.width, mark.height).fill(mark.fill);
      return;
    case 'line': {
      const { points, stroke, width, isDashed } = mark;
      document.save().lineWidth(width).lineJoin('round');
      if (isDashed) document.dash(2.5, { space: 2 });
      else document.lineCap('round');
      document.moveTo(points[0]!, points[1]!);
      for (let i = 2; i < points.length; i += 2) document.lineTo(points[i]!, points[i + 1]!);
      document.stroke(stroke).restore();
      return;
    }
    case 'text':
      write(document, mark, fonts);
  }
}

function write(document: PDFKit.PDFDocument, { x, y, text, fill, anchor, isTurned, isBold }: Text, fonts: Fonts): void {
  const runs = runsOf(text, isBold ? fonts.bold : fonts.plain);
  const widths = runs.map(({ font, text: own }) => document.font(font).fontSize(textSize).widthOfString(own));
  const whole = widths.reduce((sum, wide) => sum + wide, 0);
  document.save().fillColor(fill);
  if (isTurned) document.rotate(-90, { origin: [x, y] });
  let at = x - (anchor === 'middle' ? whole / 2 : anchor === 'end' ? whole : 0);
  runs.forEach(({ font, text: own }, i) => {
    document.font(font).text(own, at, y, { lineBreak: false, baseline: 'alphabetic' });
    at += widths[i]!;
  });
  document.restore();
}

/** Parts of a text that one font has. */
export function runsOf(text: string, fonts: readonly Font[]): { font: string; text: string }[] {
  const runs: { font: string; text: string }[] = [];
  for (const letter of text) {
    const found = fonts.find(({ letters }) => letters.test(letter));
    const font = (found ?? fonts[0]!).name;
    const own = found ? letter : (instead[letter] ?? '?');
    const last = runs.at(-1);
    if (last?.font === font) last.text += own;
    else runs.push({ font, text: own });
  }
  return runs;
}
