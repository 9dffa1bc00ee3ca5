import { readFileSync } from 'node:fs';
import path from 'node:path';
import { inflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { draw, paperWidths } from '../../../src/paper/draw.js';
import { letters, lostLetters } from '../../../src/paper/letters.js';
import { paper } from '../../../src/paper/look.js';
import { perMm } from '../../../src/paper/sheet.js';
import { runsOf, writePdf, type Font } from '../../../src/pdf/write.js';
import { bars, map } from '../paper/plots.js';

const files = path.resolve(import.meta.dirname, '../../../node_modules/@fontsource/arimo/files');
const font = (file: string, own: RegExp): Font => ({
  name: file,
  bytes: readFileSync(path.join(files, `arimo-${file}-normal.woff`)),
  letters: own,
});
const others = [font('greek-400', letters.greek), font('cyrillic-400', letters.cyrillic)];
const fonts = {
  plain: [font('latin-400', letters.latin), ...others],
  bold: [font('latin-700', letters.latin), ...others],
};

/** The file's own text, with its streams unpacked. */
function unpacked(pdf: Uint8Array): string {
  const text = Buffer.from(pdf).toString('latin1');
  return text.replace(/stream\n([^]*?)\nendstream/g, (whole, stream: string) => {
    try {
      return inflateSync(Buffer.from(stream, 'latin1')).toString('latin1');
    } catch {
      return whole;
    }
  });
}

test('says which letters it cannot show: those, and only those, are question marks', () => {
  const texts = ['é ␣⏎→✓ “quoted” − …', 'гусь χήνα', '你好 鵝', 'こんにちは', '거위', 'إوزة', '🪿'];
  const drawing = draw({ kind: 'table', head: texts, rows: [texts] }, paper, 174, '');
  const lost = new Set(lostLetters(drawing));
  expect([...lost]).toEqual(expect.arrayContaining(['鵝', 'こ', '거', 'ز', '🪿']));
  for (const letter of new Set(texts.join('')))
    expect(runsOf(letter, fonts.plain)[0]!.text === '?', letter).toBe(lost.has(letter));
});

test.each(paperWidths)('a page is as large as the drawing: %i mm', async (mm) => {
  const drawing = draw(bars, paper, mm, 'Load');
  const pdf = unpacked(await writePdf(drawing, fonts));
  expect(pdf).toMatch(/^%PDF-1\.\d/);
  const [, width, height] = /\/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]/.exec(pdf)!;
  expect(Number(width)).toBeCloseTo(mm * perMm, 1);
  expect(Number(height)).toBeCloseTo(drawing.height, 1);
  expect(pdf.match(/\/Type \/Page\b/g)).toHaveLength(1);
});

test('fonts are in the file, cut down to the letters used; what is drawn is vectors, at 8 pt', async () => {
  const bytes = await writePdf(draw(map('across', 60), paper, 85, 'Map'), fonts);
  const pdf = unpacked(bytes);
  const names = Array.from(pdf.matchAll(/\/FontName \/([\w+-]+)/g), ([, name]) => name);
  expect(new Set(names.map((name) => name!.replace(/^\w{6}\+/, '')))).toEqual(new Set(['Arimo-Regular', 'Arimo-Bold']));
  expect(pdf.match(/\/FontFile2 /g)).toHaveLength(2);
  expect(bytes.length).toBeLessThan(120_000);
  expect(pdf).not.toContain('/Subtype /Image');
  expect(new Set(Array.from(pdf.matchAll(/\/F\d+ ([\d.]+) Tf/g), ([, size]) => size))).toEqual(new Set(['8']));
  expect(pdf.match(/ re$/gm)!.length).toBeGreaterThan(500);
});

describe('letters', () => {
  const runs = (text: string) => runsOf(text, fonts.plain);

  test('are taken from the first font that has them', () => {
    expect(runs('naïve Ω Привет')).toEqual([
      { font: 'latin-400', text: 'naïve ' },
      { font: 'greek-400', text: 'Ω' },
      { font: 'latin-400', text: ' ' },
      { font: 'cyrillic-400', text: 'Привет' },
    ]);
  });

  test('that no font has are replaced', () => {
    expect(runs('␣def⏎漢')).toEqual([{ font: 'latin-400', text: '·def¶?' }]);
  });
});
