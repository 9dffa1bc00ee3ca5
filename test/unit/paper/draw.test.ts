import { describe, expect, test } from 'vitest';
import { draw, paperWidths } from '../../../src/paper/draw.js';
import { paper } from '../../../src/paper/look.js';
import { bandsOf } from '../../../src/paper/map.js';
import { widthOf } from '../../../src/paper/metrics.js';
import type { Place, Plot } from '../../../src/paper/plot.js';
import { perMm, type Drawing } from '../../../src/paper/sheet.js';
import { svgOf } from '../../../src/paper/svg.js';
import { bars, crowded, heat, lines, map, marked, sentences, table, told, wide } from './plots.js';

const all: readonly (readonly [string, Plot])[] = [
  ['bars', bars],
  ['lines', lines],
  ['heat', heat],
  ['heat around 0', marked],
  ['map of tokens', map('across', 135)],
  ['map of lines', map('down', 40)],
  ['table', table],
  ['table that is too wide', wide],
  ['table of sentences', sentences],
  ['bars with long names and marks', told],
  ['heat of many experts', crowded],
];

const textsIn = ({ marks }: Drawing) => marks.flatMap((mark) => (mark.is === 'text' ? [mark.text] : []));

describe.each(all)('%s', (_, plot) => {
  test.each(paperWidths)('on paper of %i mm', (mm) => {
    const drawing = draw(plot, paper, mm, 'A title');
    const svg = svgOf(drawing);
    expect(svg).toMatch(new RegExp(`^<svg xmlns="http://www.w3.org/2000/svg" width="${mm}mm" height="[\\d.]+mm"`));
    // A unit of the picture is a point: text of 8 units is text of 8 pt.
    expect(svg).toContain(`viewBox="0 0 ${Math.round(mm * perMm * 100) / 100} `);
    expect(svg.match(/font-size="[^"]*"/g)).toEqual(['font-size="8"']);
    expect(svg).toContain('<title>A title</title>');
    expect(svg).toContain('<rect width="100%" height="100%" fill="#ffffff"/>');
    // Text is text, and nothing is taken from a theme or from elsewhere.
    expect(svg.match(/<text /g)!.length).toBe(textsIn(drawing).length);
    expect(svg).not.toMatch(/var\(|vscode|currentColor|<image|href|NaN|undefined/);
    expect(svg).toContain('Helvetica, Arial');
  });

  test('leaves nothing outside the sheet', () => {
    for (const mm of paperWidths) {
      const { width, height, marks } = draw(plot, paper, mm, '');
      expect(height).toBeGreaterThan(20);
      for (const mark of marks) {
        if (mark.is === 'rect') {
          expect(mark.x).toBeGreaterThanOrEqual(0);
          expect(mark.x + mark.width).toBeLessThanOrEqual(width + 0.01);
          expect(mark.y + mark.height).toBeLessThanOrEqual(height + 0.01);
        } else if (mark.is === 'text') {
          const wide = widthOf(mark.text, mark.isBold);
          if (mark.isTurned) {
            expect(mark.y - (mark.anchor === 'middle' ? wide / 2 : 0), mark.text).toBeGreaterThanOrEqual(-1);
            expect(mark.y + (mark.anchor === 'middle' ? wide / 2 : 0), mark.text).toBeLessThanOrEqual(height + 1);
            continue;
          }
          const left = mark.x - (mark.anchor === 'middle' ? wide / 2 : mark.anchor === 'end' ? wide : 0);
          expect(left, mark.text).toBeGreaterThanOrEqual(-1);
          expect(left + wide, mark.text).toBeLessThanOrEqual(width + 1);
          expect(mark.y, mark.text).toBeLessThanOrEqual(height);
        }
      }
    }
  });
});

/** All that is written, with what was broken put together. */
const wordsIn = (drawing: Drawing) => textsIn(drawing).join('').replaceAll(' ', '');

describe('nothing is cut in a column of paper:', () => {
  test.each(all.filter(([name]) => !/map|^table$/.test(name)))('%s', (_, plot) => {
    for (const mm of paperWidths)
      for (const text of textsIn(draw(plot, paper, mm, ''))) expect(text).not.toContain('…');
  });

  test.each([wide, sentences])('table %#, each cell of which is there', (plot) => {
    for (const mm of paperWidths) {
      const { marks } = draw(plot, paper, mm, '');
      const places = marks.flatMap((mark) => (mark.is === 'text' ? [mark] : []));
      const said = wordsIn({ marks } as unknown as Drawing);
      for (const letters of plot.rows.flat().map((cell) => cell.split(' ')))
        for (const word of letters) if (word.length < 20) expect(said).toContain(word);
      // No two texts stand on each other.
      for (const [i, a] of places.entries())
        for (const b of places.slice(i + 1)) {
          if (Math.abs(a.y - b.y) > 5) continue;
          const [from, to] = [a, b].map((one) => {
            const long = widthOf(one.text, one.isBold);
            const left = one.anchor === 'end' ? one.x - long : one.x;
            return [left, left + long] as const;
          }) as [readonly [number, number], readonly [number, number]];
          expect(from[1] <= to[0] + 0.5 || to[1] <= from[0] + 0.5, `${a.text} | ${b.text}`).toBe(true);
        }
    }
  });

  test('a table that is too wide is in two parts, each with its layers', () => {
    const layers = (mm: number) => textsIn(draw(wide, paper, mm, '')).filter((text) => text === 'Layer').length;
    expect([layers(85), layers(174)]).toEqual([2, 1]);
    // Its cells are whole.
    const texts = textsIn(draw(wide, paper, 85, ''));
    for (const cell of wide.rows.flat().filter(Boolean)) expect(texts).toContain(cell);
  });

  test('labels fit into their chips', () => {
    for (const plot of [heat, crowded, told])
      for (const mm of paperWidths) {
        const { marks } = draw(plot, paper, mm, '');
        for (const [i, mark] of marks.entries()) {
          const chip = marks[i - 1];
          if (mark.is !== 'text' || !mark.isBold || chip?.is !== 'rect') continue;
          expect(widthOf(mark.text, true)).toBeLessThanOrEqual(mark.isTurned ? chip.height : chip.width);
        }
        expect(textsIn({ marks } as unknown as Drawing)).not.toContain('');
      }
    expect(textsIn(draw(crowded, paper, 85, '')).filter((text) => text === 'HTM')).toHaveLength(24);
  });

  test('bars say their marks, what pale ones are, and what has none', () => {
    const texts = textsIn(draw(told, paper, 85, ''));
    expect(texts).toEqual(expect.arrayContaining(['↑ 3.0×', '0.9×', 'may be chance', 'knocked out']));
    expect(wordsIn(draw(told, paper, 85, ''))).toContain('layer23,Technicalprose');
  });
});

test('axes say what they measure, in which unit; a legend names the experts and what lines and whiskers are', () => {
  const of = (plot: Plot) => textsIn(draw(plot, paper, 85, ''));
  expect(of(bars)).toEqual(
    expect.arrayContaining(['Load (%)', 'Expert', 'Python', 'Py', 'Chance', '95% interval', '20']),
  );
  expect(of(lines)).toEqual(expect.arrayContaining(['Layer', 'Probability', 'Now', 'Before', 'Chance', '0.0', '1.0']));
  expect(of(heat)).toEqual(expect.arrayContaining(['Layer', 'Expert', 'Load (%): 0', '50.0', 'Py']));
  expect(of(map('across', 135))).toEqual(
    expect.arrayContaining(['Token', 'Layer', 'Python', 'Share of the weight: smaller', 'larger', '100']),
  );
  expect(of(map('down', 40))).toEqual(expect.arrayContaining(['Line', 'Layer', 'Python', '10']));
});

test('a heat around 0 has a hue for each side, none beyond its ends, and marks that are explained', () => {
  const { marks } = draw(marked, paper, 85, '');
  const fillOf = (says: string) =>
    marks.flatMap((mark) => (mark.is === 'rect' && mark.title === says ? [mark.fill] : []));
  const [less, more] = ['1, 0: −2.00', '1, 1: 2.00'].map(fillOf);
  // What was never chosen is as strong as the weakest.
  expect(fillOf('0, 1: −2.00')).toEqual(less);
  expect([less, more]).toEqual([[paper.hues[0]], [paper.main]]);
  expect(fillOf('2, 0: 0.00')).not.toEqual(fillOf('0, 0: 1.00'));
  // The second row ends after two cells; what is not known has no colour.
  expect(marks.filter((mark) => mark.is === 'rect' && mark.title?.startsWith('1, '))).toHaveLength(2);
  expect(fillOf('0, 3: NaN')).toEqual([]);
  const texts = textsIn(draw(marked, paper, 85, ''));
  expect(texts).toEqual(expect.arrayContaining(['dead', 'overloaded', 'not known', '+2 or more', '3']));
  // Its title has a line of its own where there is no room beside the scale.
  expect(texts).toEqual(expect.arrayContaining(['Load ÷ chance (log2):', '-2 or less']));
  expect(textsIn(draw(marked, paper, 174, ''))).toContain('Load ÷ chance (log2): -2 or less');
});

test('a short text has its tokens above their cells; lines have their text where there is room', () => {
  expect(textsIn(draw(map('across', 40), paper, 85, ''))).toContain('word39');
  expect(textsIn(draw(map('across', 400), paper, 85, ''))).not.toContain('word39');
  expect(textsIn(draw(map('down', 40), paper, 174, ''))).toContain('word39');
  expect(textsIn(draw(map('down', 40), paper, 85, ''))).not.toContain('word39');
});

test('a long map still fits on a page of paper', () => {
  for (const count of [400, 900]) expect(draw(map('down', count), paper, 174, '').height).toBeLessThan(240 * perMm);
  expect(draw(map('across', 700), paper, 85, '').height).toBeLessThan(240 * perMm);
});

test('cells have the colours of paper, never paler than can be told apart', () => {
  const plot = map('across', 400);
  const fills = new Set(
    draw(plot, paper, 174, '').marks.flatMap((mark) =>
      mark.is === 'rect' && mark.title !== undefined ? [mark.fill] : [],
    ),
  );
  expect(fills).toContain(paper.expert(0).fill);
  for (const fill of fills) expect(fill).toMatch(/^#[0-9a-f]{6}$/);
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(paper.expert(0).fill.slice(at, at + 2), 16)) as [
    number,
    number,
    number,
  ];
  const weak = [r, g, b].map((c) =>
    Math.round(255 + (c - 255) * 0.65)
      .toString(16)
      .padStart(2, '0'),
  );
  expect(fills).toContain(`#${weak.join('')}`);
});

describe('bands', () => {
  const text = (count: number, lineEvery: number): (Place | undefined)[] =>
    Array.from({ length: count }, (_, i) => ({ number: String(i + 1), text: '', begins: i % lineEvery === 0 }));

  test('end where a line does', () => {
    expect(bandsOf(text(100, 15), 50)).toEqual([
      { from: 0, to: 45 },
      { from: 45, to: 90 },
      { from: 90, to: 100 },
    ]);
  });

  test('end in the midst of a line that is too long', () => {
    expect(bandsOf(text(100, 200), 50)).toEqual([
      { from: 0, to: 50 },
      { from: 50, to: 100 },
    ]);
  });

  test('never span two texts', () => {
    const places = [...text(10, 20), undefined, undefined, ...text(10, 20)];
    expect(bandsOf(places, 50)).toEqual([
      { from: 0, to: 10 },
      { from: 12, to: 22 },
    ]);
  });
});

test('text from any source is escaped, and has no control or direction marks', () => {
  const plot: Plot = { kind: 'table', head: ['a'], rows: [['<b>&"\u202e\u0007']] };
  const svg = svgOf(draw(plot, paper, 85, '</title><script>'));
  expect(svg).toContain('>&#60;b&#62;&#38;&#34;··</text>');
  for (const never of ['<script', '\u202e', '\u0007']) expect(svg).not.toContain(never);
});
