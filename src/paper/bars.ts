import { blend, type Look } from './look.js';
import { widthOf } from './metrics.js';
import { axisBelow, badge, badgeWidth, keysOf, scaleFor, whisker, type Key } from './parts.js';
import { titleOf, type BarsPlot } from './plot.js';
import { lineHeight, type Sheet, toMiddle, wrapped } from './sheet.js';

/** Of a row whose name takes one line. */
const row = 11;

/** Returns the height. */
export function drawBars(sheet: Sheet, look: Look, plot: BarsPlot, width: number): number {
  const { bars, value, of, reference, interval, weak } = plot;
  const hasBadges = bars.some((bar) => bar.of.shortLabel !== '');
  const labels = hasBadges ? badgeWidth(bars.map((bar) => bar.of)) + 4 : 0;
  const names = Math.min(0.36 * width, Math.max(0, ...bars.map((bar) => widthOf(bar.of.name))));
  const left = labels + names + 6;
  const marks = Math.max(0, ...bars.map((bar) => widthOf(bar.mark ?? '')));
  const right = width - 8 - (marks > 0 ? marks + 4 : 0);
  const ends = bars.flatMap((bar) => [bar.low ?? bar.value, bar.high ?? bar.value, bar.reference ?? 0]);
  const scale = scaleFor(value, [Math.min(0, ...ends), Math.max(1e-9, ...ends)], [left, right]);
  const at = (x: number) => scale.at(x * (value.times ?? 1));
  sheet.text(of, 0, 8, look.ink, { isBold: true });
  const top = row + 2;
  let bottom = top;
  for (const bar of bars) {
    // A long name goes on in a next line.
    const name = wrapped(bar.of.name, names + 0.01);
    const high = row + (Math.max(1, name.length) - 1) * lineHeight;
    const y = bottom + high / 2;
    if (hasBadges) badge(sheet, look, bar.of, 0, y, labels - 4);
    name.forEach((line, i) => {
      const middle = y + (i - (name.length - 1) / 2) * lineHeight;
      sheet.text(line, labels, middle + toMiddle, look.ink);
    });
    const { fill } = look.expert(bar.of.slot);
    const [from, to] = [at(Math.min(0, bar.value)), at(Math.max(0, bar.value))];
    if (bar.note === undefined)
      sheet.rect(from, y - 3.5, Math.max(0.5, to - from), 7, bar.isWeak ? pale(look, fill) : fill);
    else sheet.text(bar.note, left, y + toMiddle, look.ink);
    if (bar.low !== undefined && bar.high !== undefined) whisker(sheet, at(bar.low), at(bar.high), y, look.ink);
    if (bar.reference !== undefined && bar.note === undefined) {
      const x = at(bar.reference);
      sheet.line([x, y - row / 2, x, y + row / 2], look.ink, { isDashed: true });
    }
    sheet.text(bar.mark ?? '', width, y + toMiddle, look.ink, { anchor: 'end' });
    bottom += high;
  }
  if (at(0) > left) sheet.line([at(0), top, at(0), bottom], look.line);
  const under = axisBelow(sheet, look, scale, bottom + 1, titleOf(value), [0, width]);
  const keys: Key[] = [
    ...(interval !== undefined && bars.some(({ low }) => low !== undefined)
      ? [{ is: 'whisker', text: interval, colour: look.ink } as const]
      : []),
    ...(reference !== undefined ? [{ is: 'dashed', text: reference, colour: look.ink } as const] : []),
    ...(weak !== undefined && bars.some(({ isWeak }) => isWeak)
      ? [{ is: 'swatch', text: weak, colour: pale(look, look.faint) } as const]
      : []),
  ];
  return keysOf(sheet, look, keys, 0, width, under + 3);
}

const pale = ({ background }: Look, fill: string): string => blend(background, fill, 0.45);
