import { blend, type Look } from './look.js';
import { widthOf } from './metrics.js';
import { axisBelow, axisHeight, badge, badgeWidth, keysOf, scaleFor, whisker, type Key } from './parts.js';
import { titleOf, type BarsPlot } from './plot.js';
import { cut, type Sheet, toMiddle } from './sheet.js';

const row = 11;

/** Returns the height. */
export function drawBars(sheet: Sheet, look: Look, plot: BarsPlot, width: number): number {
  const { bars, value, of, reference, interval } = plot;
  const hasBadges = bars.some((bar) => bar.of.shortLabel !== '');
  const labels = hasBadges ? badgeWidth(bars.map((bar) => bar.of)) + 4 : 0;
  const names = Math.min(0.36 * width, Math.max(0, ...bars.map((bar) => widthOf(bar.of.name))));
  const left = labels + names + 6;
  const ends = bars.flatMap((bar) => [bar.low ?? bar.value, bar.high ?? bar.value, bar.reference ?? 0]);
  const scale = scaleFor(value, [Math.min(0, ...ends), Math.max(1e-9, ...ends)], [left, width - 8]);
  const at = (x: number) => scale.at(x * (value.times ?? 1));
  sheet.text(of, 0, 8, look.ink, { isBold: true });
  const top = row + 2;
  bars.forEach((bar, i) => {
    const y = top + (i + 0.5) * row;
    if (hasBadges) badge(sheet, look, bar.of, 0, y, labels - 4);
    sheet.text(cut(bar.of.name, names), labels, y + toMiddle, look.ink);
    const { fill } = look.expert(bar.of.slot);
    const [from, to] = [at(Math.min(0, bar.value)), at(Math.max(0, bar.value))];
    sheet.rect(from, y - 3.5, Math.max(0.5, to - from), 7, bar.isWeak ? blend(look.background, fill, 0.45) : fill);
    if (bar.low !== undefined && bar.high !== undefined) whisker(sheet, at(bar.low), at(bar.high), y, look.ink);
    if (bar.reference !== undefined) {
      const x = at(bar.reference);
      sheet.line([x, y - row / 2, x, y + row / 2], look.ink, { isDashed: true });
    }
  });
  const bottom = top + bars.length * row;
  if (at(0) > left) sheet.line([at(0), top, at(0), bottom], look.line);
  axisBelow(sheet, look, scale, bottom + 1, titleOf(value));
  const keys: Key[] = [
    ...(interval !== undefined && bars.some(({ low }) => low !== undefined)
      ? [{ is: 'whisker', text: interval, colour: look.ink } as const]
      : []),
    ...(reference !== undefined ? [{ is: 'dashed', text: reference, colour: look.ink } as const] : []),
  ];
  return keysOf(sheet, look, keys, 0, width, bottom + axisHeight + 4);
}
