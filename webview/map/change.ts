/** How two runs differ, cell by cell and token by token. Pure. */
import { ChoicePairs, type Change } from '../../src/trace/alignment/change.js';
import type { Trace } from '../../src/trace/model/trace.js';
import type { Partners } from '../background/background.js';
import type { Columns } from './columns.js';
import { blank, type Raster, type Row } from './model.js';

/** How far the main run's choices differ from those at the token's partner in the other run; `unknown` if it has none. */
export function differenceRaster(
  main: Trace,
  other: Trace,
  rows: readonly Row[],
  columns: Columns,
  partners: readonly Pick<Partners, 'of'>[],
): Raster {
  const raster = blank('difference', rows, columns);
  const pairs = new ChoicePairs(main, other);
  for (const { sequence, from } of columns.spans)
    rows.forEach(({ parts }, r) => {
      const modules = parts[sequence]?.modules;
      if (!modules) return;
      pairs.shares(modules, sequence, partners[sequence]!).forEach((share, t) => {
        if (Number.isNaN(share)) return;
        const cell = r * columns.count + from + t;
        raster.expert[cell] = 0;
        raster.strength[cell] = share;
      });
    });
  return raster;
}

/** Each token's change in log-probability, the same in all rows. @param changes one per sequence */
export function changeRaster(changes: readonly Change[], rows: readonly Row[], columns: Columns): Raster {
  const change = new Float32Array(columns.count).fill(NaN);
  const raster: Raster = { ...blank('change', rows, columns), change };
  for (const { sequence, from } of columns.spans) {
    const { value, most } = changes[sequence]!;
    change.set(value, from);
    rows.forEach(({ parts }, r) => {
      if (!parts[sequence]) return;
      value.forEach((x, t) => {
        if (Number.isNaN(x)) return;
        raster.expert[r * columns.count + from + t] = x < 0 ? 0 : 1;
        raster.strength[r * columns.count + from + t] = Math.min(1, Math.abs(x) / most);
      });
    });
  }
  return raster;
}
