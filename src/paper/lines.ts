import type { Look } from './look.js';
import { axisAtLeft, axisBelow, keysOf, scaleFor, widthAtLeft, type Key } from './parts.js';
import { titleOf, type LinesPlot } from './plot.js';
import { scaleOf } from './scale.js';
import type { Sheet } from './sheet.js';

/** Returns the height. */
export function drawLines(sheet: Sheet, look: Look, { x, y, series, reference }: LinesPlot, width: number): number {
  const tall = Math.min(140, 0.55 * width);
  const vertical = scaleFor(y, [0, y.high], [tall + 4, 4]);
  const left = 12 + widthAtLeft(vertical, 5) + 6;
  const count = Math.max(1, ...series.map(({ values }) => values.length));
  const across = scaleOf([x.first, x.first + Math.max(1, count - 1)], [left, width - 8]);
  const at = (value: number) => vertical.at(Math.min(y.high, Math.max(0, value)) * (y.times ?? 1));
  const colourOf = (isOld: boolean | undefined) => (isOld ? look.line : look.main);
  for (const { values, isOld } of [...series].sort((a, b) => Number(b.isOld ?? false) - Number(a.isOld ?? false)))
    for (const run of runsOf(values))
      sheet.line(
        run.flatMap((i) => [across.at(x.first + i), at(values[i]!)]),
        colourOf(isOld),
        { width: isOld ? 0.8 : 1.2 },
      );
  if (reference) {
    const level = at(reference.value);
    sheet.line([left, level, width - 8, level], look.ink, { isDashed: true });
  }
  axisAtLeft(sheet, look, vertical, left, titleOf(y));
  const under = axisBelow(sheet, look, across, tall + 4, x.title, [0, width], Math.min(6, count));
  const keys: Key[] = [
    ...(series.length > 1
      ? series.map(({ name, isOld }) => ({ is: 'line', text: name, colour: colourOf(isOld) }) as const)
      : []),
    ...(reference ? [{ is: 'dashed', text: reference.name, colour: look.ink } as const] : []),
  ];
  return keysOf(sheet, look, keys, left, width, under + 4);
}

/** The indexes of known values, without a gap in each run. A lone one is given twice, so that it shows as a dot. */
function runsOf(values: ArrayLike<number>): number[][] {
  const runs: number[][] = [];
  let run: number[] = [];
  for (let i = 0; i <= values.length; i++) {
    if (i < values.length && Number.isFinite(values[i])) run.push(i);
    else if (run.length > 0) {
      runs.push(run.length === 1 ? [run[0]!, run[0]!] : run);
      run = [];
    }
  }
  return runs;
}
