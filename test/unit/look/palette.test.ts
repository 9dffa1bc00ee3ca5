import { describe, expect, it } from 'vitest';
import {
  colourCount,
  contrast,
  expertStyle,
  inkOn,
  letters,
  luminance,
  measureColours,
  quiet,
  slotsOf,
  weakest,
} from '../../../src/look/palette.js';

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

const channels = (hex: string): Rgb => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)) as Rgb;

function linear(rgb: Rgb): Rgb {
  return rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4)) as Rgb;
}

/** B. Ottosson 2020, https://bottosson.github.io/posts/oklab/ */
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

function seen(colour: Rgb, matrix: Rgb[]): Rgb {
  const rgb = linear(colour);
  return oklab(matrix.map((row) => Math.max(0, row[0] * rgb[0] + row[1] * rgb[1] + row[2] * rgb[2])) as Rgb);
}

const backgrounds = { dark: '#1f1f1f', light: '#ffffff' } as const;
const texts = { dark: ['#cccccc'], light: ['#3b3b3b', '#000000'] } as const;

/** A fill as a cell with this strength has it. */
function drawn(fill: string, theme: 'dark' | 'light', strength: number): Rgb {
  const [back, front] = [channels(backgrounds[theme]), channels(fill)];
  const share = weakest + (1 - weakest) * strength;
  return back.map((c, i) => c + (front[i]! - c) * share) as Rgb;
}

const apart = (a: Rgb, b: Rgb) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);

/** The least distance between any two. */
function closest(points: readonly Rgb[]): number {
  return Math.min(...points.flatMap((a, i) => points.slice(i + 1).map((b) => apart(a, b))));
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

  // A difference of 0.02 in OKLab is just noticeable.
  it.each(Object.entries(vision))('are told apart under %s, at full strength and at the weakest', (name, matrix) => {
    for (const theme of ['dark', 'light'] as const) {
      const at = (strength: number) => all.map((style) => seen(drawn(style[theme].fill, theme, strength), matrix));
      const first = (strength: number) => closest(at(strength).slice(0, 12));
      expect(first(1), `${theme}, first twelve`).toBeGreaterThan(name === 'normal' ? 0.12 : 0.08);
      expect(first(0), `${theme}, first twelve, weakest`).toBeGreaterThan(name === 'normal' ? 0.08 : 0.05);
      expect(closest(at(1)), `${theme}, all`).toBeGreaterThan(0.05);
      expect(closest(at(0)), `${theme}, all, weakest`).toBeGreaterThan(0.03);
    }
  });

  it('are not taken for text or background', () => {
    for (const theme of ['dark', 'light'] as const)
      for (const other of [backgrounds[theme], ...texts[theme]])
        for (const style of all)
          expect(
            apart(seen(channels(style[theme].fill), identity), seen(channels(other), identity)),
            `${theme} ${style[theme].fill} ${other}`,
          ).toBeGreaterThan(0.12);
  });

  it('have text that can be read at every strength', () => {
    for (const theme of ['dark', 'light'] as const)
      for (const style of all)
        for (const strength of [0, 0.25, 0.5, 0.75, 1]) {
          const cell = `#${drawn(style[theme].fill, theme, strength)
            .map((c) => Math.round(c).toString(16).padStart(2, '0'))
            .join('')}`;
          expect(contrast(cell, inkOn(cell))).toBeGreaterThanOrEqual(4.5);
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

it('the colour of measures stands out from the editor background, in high contrast themes at 7 : 1 or more', () => {
  const { dark, light, highContrast, highContrastLight } = measureColours;
  for (const background of ['#000000', '#1f1f1f', '#2d2d2d'])
    expect(contrast(dark, background)).toBeGreaterThanOrEqual(3);
  for (const background of ['#ffffff', '#f3f3f3']) expect(contrast(light, background)).toBeGreaterThanOrEqual(3);
  expect(contrast(highContrast, '#000000')).toBeGreaterThanOrEqual(7);
  expect(contrast(highContrastLight, '#ffffff')).toBeGreaterThanOrEqual(7);
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
