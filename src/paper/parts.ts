/** What several kinds of figures have: axes, and legends that take as many lines as they need. */
import { quiet } from '../look/palette.js';
import type { Look } from './look.js';
import { widthOf } from './metrics.js';
import type { CellMark, Named, Quantity } from './plot.js';
import { scaleOf, type Scale } from './scale.js';
import { lineHeight, type Sheet, toMiddle, wrapped } from './sheet.js';

/** Room for an axis below: ticks, numbers and a title. */
const axisHeight = 2 * lineHeight + 4;
/** Side of a swatch that has no letters. */
const swatch = 8;

/** `−0.5`, with as many decimals as it takes to tell the ticks apart. */
export function tickText(value: number, digits: number): string {
  const text = value.toFixed(digits).replace('-', '−');
  return /^−[0.]+$/.test(text) ? text.slice(1) : text;
}

/**
 * An axis below, in the quantity's unit. Returns where it ends.
 * @param sides of the sheet: a title that is longer than the axis may be as wide as that, and then wraps
 */
export function axisBelow(
  sheet: Sheet,
  look: Look,
  scale: Scale,
  y: number,
  title: string,
  sides: readonly [number, number],
  count = 5,
): number {
  const [from, to] = scale.range;
  sheet.line([from, y, to, y], look.line);
  const digits = scale.digits(count);
  for (const at of scale.ticks(count)) {
    const x = scale.at(at);
    sheet.line([x, y, x, y + 2.5], look.line);
    sheet.text(tickText(at, digits), x, y + 10, look.ink, { anchor: 'middle' });
  }
  const lines = wrapped(title, sides[1] - sides[0]);
  lines.forEach((line, i) => {
    const half = widthOf(line) / 2;
    const middle = Math.min(sides[1] - half, Math.max(sides[0] + half, (from + to) / 2));
    sheet.text(line, middle, y + 10 + (i + 1) * lineHeight, look.ink, { anchor: 'middle' });
  });
  return y + axisHeight + (Math.max(1, lines.length) - 1) * lineHeight;
}

/** How wide the numbers of an axis at the left are. */
export function widthAtLeft(scale: Scale, count: number): number {
  const digits = scale.digits(count);
  return Math.max(...scale.ticks(count).map((at) => widthOf(tickText(at, digits))));
}

/** An axis at the left; its title reads upwards at the edge of the sheet. */
export function axisAtLeft(sheet: Sheet, look: Look, scale: Scale, x: number, title: string, count = 5): void {
  const [bottom, top] = scale.range;
  sheet.line([x, bottom, x, top], look.line);
  const digits = scale.digits(count);
  for (const at of scale.ticks(count)) {
    const y = scale.at(at);
    sheet.line([x - 2.5, y, x, y], look.line);
    sheet.text(tickText(at, digits), x - 4, y + toMiddle, look.ink, { anchor: 'end' });
  }
  turnedTitle(sheet, look, title, (bottom + top) / 2);
}

/** Reads upwards at the edge of the sheet. */
export function turnedTitle(sheet: Sheet, look: Look, title: string, middle: number): void {
  sheet.text(title, 7, middle, look.ink, { anchor: 'middle', isTurned: true });
}

/** A scale in the unit of a quantity. */
export function scaleFor(
  { times = 1 }: Quantity,
  [low, high]: readonly [number, number],
  range: readonly [number, number],
): Scale {
  return scaleOf([low * times, high * times], range);
}

/** An expert's short label on its colour. @param y its middle */
export function badge(sheet: Sheet, look: Look, { slot, shortLabel, name }: Named, x: number, y: number, wide: number) {
  const { fill, ink } = look.expert(slot);
  sheet.rect(x, y - 4.5, wide, 9, fill, name);
  sheet.text(shortLabel, x + wide / 2, y + toMiddle, ink, { anchor: 'middle', isBold: true });
}

/** The same, read upwards, where columns are narrower than their labels. @param bottom of its rectangle */
export function turnedBadge(
  sheet: Sheet,
  look: Look,
  { slot, shortLabel, name }: Named,
  x: number,
  bottom: number,
  long: number,
): void {
  const { fill, ink } = look.expert(slot);
  sheet.rect(x - 4.5, bottom - long, 9, long, fill, name);
  sheet.text(shortLabel, x + toMiddle, bottom - long / 2, ink, { anchor: 'middle', isBold: true, isTurned: true });
}

/** Wide enough for the badge of each. */
export function badgeWidth(all: readonly Named[]): number {
  return Math.max(10, ...all.map(({ shortLabel }) => widthOf(shortLabel, true) + 3));
}

interface Entry {
  readonly text: string;
  /** Room for what is drawn before the text. */
  readonly before: number;
  readonly draw: (x: number, middle: number) => void;
}

/** Entries beside each other, on as many lines as it takes; so is a long one's text. Returns where they end. */
function flow(sheet: Sheet, look: Look, entries: readonly Entry[], left: number, width: number, top: number): number {
  let [x, y] = [left, top];
  for (const { text, before, draw } of entries) {
    const wide = before + widthOf(text) + 10;
    if (x > left && x + wide - 10 > width) [x, y] = [left, y + lineHeight + 1];
    draw(x, y + 5);
    const lines = wrapped(text, width - x - before);
    lines.forEach((line, i) => sheet.text(line, x + before, y + i * lineHeight + 5 + toMiddle, look.ink));
    y += Math.max(0, lines.length - 1) * lineHeight;
    x += wide;
  }
  return entries.length > 0 ? y + lineHeight + 1 : top;
}

/** Experts by colour. */
export function legendOf(sheet: Sheet, look: Look, all: readonly Named[], left: number, width: number, top: number) {
  const shown = all.filter(({ slot }) => slot !== quiet);
  const wide = badgeWidth(shown);
  const entries = shown.map((one): Entry => ({
    text: one.name,
    before: wide + 3,
    draw: (x, middle) => badge(sheet, look, one, x, middle, wide),
  }));
  return flow(sheet, look, entries, left, width, top);
}

export interface Key {
  readonly text: string;
  readonly is: 'dashed' | 'whisker' | 'line' | 'swatch' | CellMark;
  readonly colour: string;
}

/** What lines and marks stand for. */
export function keysOf(sheet: Sheet, look: Look, keys: readonly Key[], left: number, width: number, top: number) {
  const draw = ({ is, colour }: Key, x: number, y: number): void => {
    if (is === 'swatch') sheet.rect(x + 4, y - swatch / 2, swatch, swatch, colour);
    else if (is === 'whisker') whisker(sheet, x, x + 14, y, colour);
    else if (is !== 'line' && is !== 'dashed') cellMark(sheet, is, { x: x + 4, y: y - 4, width: 8, height: 8 }, colour);
    else sheet.line([x, y, x + 14, y], colour, { width: is === 'line' ? 1.2 : 0.8, isDashed: is === 'dashed' });
  };
  const entries = keys.map((key): Entry => ({ text: key.text, before: 18, draw: (x, y) => draw(key, x, y) }));
  return flow(sheet, look, entries, left, width, top);
}

export function whisker(sheet: Sheet, from: number, to: number, y: number, colour: string): void {
  sheet.line([from, y, to, y], colour);
  for (const x of [from, to]) sheet.line([x, y - 2, x, y + 2], colour);
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What is drawn on a cell. */
export function cellMark(sheet: Sheet, mark: CellMark, { x, y, width, height }: Box, ink: string): void {
  const [cx, cy] = [x + width / 2, y + height / 2];
  const r = Math.max(1, Math.min(3, Math.min(width, height) / 2 - 1));
  switch (mark) {
    case 'cross':
      sheet.line([cx - r, cy - r, cx + r, cy + r], ink, { width: 1 });
      sheet.line([cx - r, cy + r, cx + r, cy - r], ink, { width: 1 });
      break;
    case 'triangle':
      sheet.line([cx - r, cy + r, cx, cy - r, cx + r, cy + r, cx - r, cy + r], ink, { width: 1 });
      break;
    case 'dot':
      sheet.rect(cx - r / 2, cy - r / 2, r, r, ink);
      break;
    case 'stroke':
      sheet.line([x, y + height, x + width, y], ink, { width: 0.4 });
      break;
    case 'frame':
      sheet.line([x, y, x + width, y, x + width, y + height, x, y + height, x, y], ink, { width: 1.2 });
      break;
  }
}

/** A scale from weak to strong, with what both ends stand for; its title is on a line of its own if it has to be. Returns where it ends. */
export function rampOf(
  sheet: Sheet,
  look: Look,
  { title, weak, strong }: { readonly title: string; readonly weak: string; readonly strong: string },
  fillAt: (strength: number) => string,
  left: number,
  top: number,
  right: number,
): number {
  const steps = 12;
  const long = steps * 4;
  const before = title === '' ? weak : `${title}: ${weak}`;
  if (title !== '' && left + widthOf(before + strong) + long + 6 > right) {
    const lines = wrapped(`${title}:`, right - left);
    lines.forEach((line, i) => sheet.text(line, left, top + i * lineHeight + 5 + toMiddle, look.ink));
    const ends = { title: '', weak, strong };
    return rampOf(sheet, look, ends, fillAt, left, top + lines.length * lineHeight, right);
  }
  const y = top + 5;
  sheet.text(before, left, y + toMiddle, look.ink);
  const bar = left + widthOf(before) + 3;
  for (let i = 0; i < steps; i++) sheet.rect(bar + i * 4, y - 4, 4, 8, fillAt(i / (steps - 1)));
  // The strongest colour's words have a line of their own where there is no room beside it.
  const isBeside = bar + long + 3 + widthOf(strong) <= right;
  if (isBeside) sheet.text(strong, bar + long + 3, y + toMiddle, look.ink);
  const lines = isBeside ? [] : wrapped(strong, right - left);
  lines.forEach((line, i) => sheet.text(line, right, y + (i + 1) * lineHeight + toMiddle, look.ink, { anchor: 'end' }));
  return top + (1 + lines.length) * lineHeight + 1;
}
