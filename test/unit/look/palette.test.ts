import { describe, expect, it } from 'vitest';
import { colourCount, contrast, expertStyle, letters, luminance, quiet, slotsOf } from '../../../src/look/palette.js';

const all = Array.from({ length: colourCount }, (_, i) => expertStyle(i));

type Rgb = [number, number, number];
const identity: Rgb[] = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];
/** Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB. */
const vision: Record<string, Rgb[]> = {
  normal: identity,
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

function linear(hex: string): Rgb {
  return [1, 3, 5].map((at) => {
    const c = parseInt(hex.slice(at, at + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as Rgb;
}

function oklab([r, g, b]: Rgb): Rgb {
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function seen(hex: string, matrix: Rgb[]): Rgb {
  const rgb = linear(hex);
  return oklab(matrix.map((row) => Math.max(0, row[0] * rgb[0] + row[1] * rgb[1] + row[2] * rgb[2])) as Rgb);
}

describe('expert colours', () => {
  it('stand out from the editor background at 3 : 1 or more', () => {
    for (const style of all) {
      for (const background of ['#000000', '#1e1e1e', '#2d2d2d'])
        expect(contrast(style.dark.fill, background)).toBeGreaterThanOrEqual(3);
      for (const background of ['#ffffff', '#f3f3f3'])
        expect(contrast(style.light.fill, background)).toBeGreaterThanOrEqual(3);
    }
  });

  it('carry a readable letter', () => {
    for (const { dark, light } of all) {
      for (const { fill, ink } of [dark, light]) expect(contrast(fill, ink)).toBeGreaterThanOrEqual(4.5);
    }
  });

  it.each(Object.entries(vision))('differ under %s', (_, matrix) => {
    for (const theme of ['dark', 'light'] as const) {
      const points = all.map((style) => seen(style[theme].fill, matrix));
      points.forEach((a, i) =>
        points.slice(i + 1).forEach((b) => {
          expect(Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])).toBeGreaterThan(0.06);
        }),
      );
    }
  });

  it('come with a letter for each expert, however many there are', () => {
    const many = Array.from({ length: 800 }, (_, e) => letters(e));
    expect(new Set(many).size).toBe(800);
    expect([0, 25, 26, 702].map((e) => many[e])).toEqual(['A', 'Z', 'AA', 'AAA']);
  });

  it('measures luminance as WCAG does', () => {
    expect(luminance('#ffffff')).toBeCloseTo(1);
    expect(contrast('#000000', '#ffffff')).toBeCloseTo(21);
  });
});

describe('more experts than colours', () => {
  it('16 have one each, by their index', () => {
    expect([...slotsOf(16, [])]).toEqual([...Array(16).keys()]);
  });

  it('with more than 16, the 15 most used have one each, and no others', () => {
    const used = Float64Array.from({ length: 256 }, (_, e) => (e * 37) % 256);
    const slots = slotsOf(256, used);
    const coloured = [...slots.keys()].filter((e) => slots[e] !== quiet);
    expect(coloured.map((e) => used[e]!).sort((a, b) => b - a)).toEqual(Array.from({ length: 15 }, (_, i) => 255 - i));
    expect(new Set(coloured.map((e) => slots[e])).size).toBe(15);
    // The most used one has the most distinct colour.
    expect(slots[used.indexOf(255)]).toBe(0);
  });

  it('an unused expert has none unless it is pinned', () => {
    const used = new Float64Array(40);
    used[7] = 3;
    expect([...slotsOf(40, used)].filter((slot) => slot !== quiet)).toHaveLength(1);
    const slots = slotsOf(40, used, [30]);
    expect([slots[7], slots[30]]).toEqual([0, 1]);
    expect(slotsOf(40, used, [...Array(40).keys()]).filter((slot) => slot !== quiet)).toHaveLength(15);
  });
});
