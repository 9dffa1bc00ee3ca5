import { max } from 'd3-array';
import { inkOn } from '../look/palette.js';
import { blend, type Look } from './look.js';
import { widthOf } from './metrics.js';
import { badge, badgeWidth, cellMark, keysOf, rampOf, tickText, turnedBadge, turnedTitle } from './parts.js';
import { type HeatPlot, titleOf } from './plot.js';
import { cut, lineHeight, type Sheet, toMiddle } from './sheet.js';

type Label = HeatPlot['rows'][number];

export const nameOf = (label: Label): string => (typeof label === 'string' ? label : label.name);

const widthOfLabel = (label: Label): number => (typeof label === 'string' ? widthOf(label) : badgeWidth([label]));

/** Returns the height. One hue, so that shades of different columns can be compared; another below 0. */
export function drawHeat(sheet: Sheet, look: Look, plot: HeatPlot, width: number): number {
  const { rows, columns, values, value, rowTitle, columnTitle, scale, marks } = plot;
  const cutAt = (x: number) => (scale ? Math.max(-scale.most, Math.min(scale.most, x)) : x);
  const known = values.flatMap((row) => Array.from(row, cutAt).filter(Number.isFinite));
  const highest = scale?.most ?? ((max(known, Math.abs) ?? 0) || 1);
  const isSigned = scale !== undefined || known.some((x) => x < 0);
  /** @param share of the highest, −1..1 */
  const fillAt = (share: number) =>
    blend(look.background, share < 0 ? look.hues[0] : look.main, 0.04 + 0.96 * Math.abs(share));
  const digits = value.times === undefined ? 2 : 1;
  const labels = Math.max(0, ...rows.map(widthOfLabel));
  const isNamed = rows.some((row) => typeof row !== 'string');
  const left = 14 + labels + 4;
  const cell = (width - left) / Math.max(1, columns.length);
  const high = Math.min(14, Math.max(isNamed ? cell : marks ? 10 : 6, 3));
  // Labels that are wider than a column read upwards, all of them.
  const labelled = columns.filter((one) => typeof one !== 'string');
  const isTurned = badgeWidth(labelled) > cell - 0.5 && labelled.some(({ shortLabel }) => widthOf(shortLabel) > 0);
  const above = isTurned ? badgeWidth(labelled) : lineHeight;
  const top = lineHeight + 4 + above;
  const across = everyFitting(
    columns.length,
    cell,
    Math.max(11, ...columns.map((one) => (typeof one === 'string' ? widthOf(one) + 2 : 0))),
  );
  sheet.text(columnTitle, left + (width - left) / 2, 8, look.ink, { anchor: 'middle' });
  for (const c of across) {
    const [label, middle] = [columns[c]!, left + (c + 0.5) * cell];
    if (typeof label === 'string') {
      const inside = Math.min(middle, width - widthOf(label) / 2);
      sheet.text(label, inside, lineHeight + 6 + toMiddle, look.ink, { anchor: 'middle' });
    } else if (isTurned) turnedBadge(sheet, look, label, middle, top - 2, above);
    else {
      const own = Math.max(badgeWidth([label]), 9);
      badge(sheet, look, label, middle - own / 2, lineHeight + 6, own);
    }
  }
  everyFitting(rows.length, high, 9).forEach((r) => {
    const [row, y] = [rows[r]!, top + (r + 0.5) * high];
    if (typeof row === 'string') sheet.text(row, left - 4, y + toMiddle, look.ink, { anchor: 'end' });
    else badge(sheet, look, row, left - 4 - labels, y, labels);
  });
  turnedTitle(sheet, look, cut(rowTitle, rows.length * high + 20), top + (rows.length * high) / 2);
  values.forEach((row, r) =>
    Array.from(row, cutAt).forEach((x, c) => {
      const box = { x: left + c * cell, y: top + r * high, width: cell - (cell > 4 ? 0.5 : 0), height: high - 0.5 };
      const fill = Number.isFinite(x) ? fillAt(x / highest) : look.background;
      const says = `${nameOf(rows[r]!)}, ${nameOf(columns[c]!)}: ${tickText(x * (value.times ?? 1), digits)}`;
      if (Number.isFinite(x)) sheet.rect(box.x, box.y, box.width, high - (high > 4 ? 0.5 : 0), fill, says);
      for (const mark of marks?.of(r, c) ?? []) cellMark(sheet, mark, box, mark === 'frame' ? look.ink : inkOn(fill));
    }),
  );
  const end = (share: number) => tickText(share * highest * (value.times ?? 1), digits);
  const ends = {
    title: titleOf(value),
    weak: scale?.weak ?? (isSigned ? end(-1) : '0'),
    strong: scale?.strong ?? end(1),
  };
  const shade = (strength: number) => fillAt(isSigned ? 2 * strength - 1 : strength);
  const under = rampOf(sheet, look, ends, shade, left, top + rows.length * high + 5, width);
  const keys = marks?.means.map(([is, text]) => ({ is, text, colour: look.ink })) ?? [];
  return keysOf(sheet, look, keys, left, width, under);
}

/** Indexes far enough apart for labels of a size. */
export function everyFitting(count: number, step: number, size: number): number[] {
  const every = Math.max(1, Math.ceil(size / step));
  return Array.from({ length: Math.ceil(count / every) }, (_, i) => i * every);
}
