import { max } from 'd3-array';
import { blend, type Look } from './look.js';
import { widthOf } from './metrics.js';
import { badge, badgeWidth, rampOf, tickText, turnedTitle } from './parts.js';
import { titleOf, type HeatPlot, type Named } from './plot.js';
import { cut, lineHeight, type Sheet, toMiddle } from './sheet.js';

/** Returns the height. One hue, so that shades of different columns can be compared; another below 0. */
export function drawHeat(sheet: Sheet, look: Look, plot: HeatPlot, width: number): number {
  const { rows, columns, values, value, rowTitle, columnTitle } = plot;
  const known = values.flatMap((row) => Array.from(row).filter(Number.isFinite));
  const highest = (max(known, Math.abs) ?? 0) || 1;
  const isSigned = known.some((x) => x < 0);
  /** @param share of the highest, −1..1 */
  const fillAt = (share: number) =>
    blend(look.background, share < 0 ? look.hues[0] : look.main, 0.04 + 0.96 * Math.abs(share));
  const digits = value.times === undefined ? 2 : 1;
  const named = rows.filter((row): row is Named => typeof row !== 'string');
  const labels =
    named.length > 0 ? badgeWidth(named) : Math.max(...rows.map((row) => (typeof row === 'string' ? widthOf(row) : 0)));
  const left = 14 + labels + 4;
  const cell = (width - left) / Math.max(1, columns.length);
  const high = Math.min(14, Math.max(named.length > 0 ? cell : 6, 3));
  const top = 2 * lineHeight + 4;
  sheet.text(columnTitle, left + (width - left) / 2, 8, look.ink, { anchor: 'middle' });
  for (const c of everyFitting(columns.length, cell, 11)) {
    const own = Math.max(Math.min(badgeWidth([columns[c]!]), cell - 1), 9);
    badge(sheet, look, columns[c]!, left + (c + 0.5) * cell - own / 2, lineHeight + 6, own);
  }
  everyFitting(rows.length, high, 9).forEach((r) => {
    const [row, y] = [rows[r]!, top + (r + 0.5) * high];
    if (typeof row === 'string') sheet.text(row, left - 4, y + toMiddle, look.ink, { anchor: 'end' });
    else badge(sheet, look, row, left - 4 - labels, y, labels);
  });
  turnedTitle(sheet, look, cut(rowTitle, rows.length * high + 20), top + (rows.length * high) / 2);
  values.forEach((row, r) =>
    columns.forEach(({ name }, c) => {
      if (!Number.isFinite(row[c])) return;
      const own = rows[r]!;
      const says = `${typeof own === 'string' ? own : own.name}, ${name}: ${tickText(row[c]! * (value.times ?? 1), digits)}`;
      const fill = fillAt(row[c]! / highest);
      sheet.rect(left + c * cell, top + r * high, cell - (cell > 4 ? 0.5 : 0), high - (high > 4 ? 0.5 : 0), fill, says);
    }),
  );
  const end = (share: number) => tickText(share * highest * (value.times ?? 1), digits);
  const ends = { title: titleOf(value), weak: isSigned ? end(-1) : '0', strong: end(1) };
  const shade = (strength: number) => fillAt(isSigned ? 2 * strength - 1 : strength);
  return rampOf(sheet, look, ends, shade, left, top + rows.length * high + 5);
}

/** Indexes far enough apart for labels of a size. */
export function everyFitting(count: number, step: number, size: number): number[] {
  const every = Math.max(1, Math.ceil(size / step));
  return Array.from({ length: Math.ceil(count / every) }, (_, i) => i * every);
}
