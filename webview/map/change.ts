/** How two runs differ, cell by cell and token by token. Pure. */
import { ChoicePairs, type Change } from '../../src/trace/alignment/change.js';
import type { Trace } from '../../src/trace/model/trace.js';
import type { Partners } from '../background/work.js';
import type { Columns } from './columns.js';
import { blank, usual, type Raster, type Row } from './model.js';

/** How much likelier the other run finds the same token. One for each sequence, all on one scale. */
export function logProbChanges(
  main: Trace,
  other: Trace,
  partners: readonly Pick<Partners, 'alignment'>[],
): readonly Change[] {
  const values = partners.map(({ alignment: { a, b, same } }, sequence) => {
    const [here, there] = [main.sequences[sequence], other.sequences[sequence]];
    const value = new Float32Array(here?.tokens.count ?? 0).fill(NaN);
    for (let c = 0; c < same.length; c++)
      if (same[c]) value[a[c]!] = (there?.logProb?.[b[c]!] ?? NaN) - (here?.logProb?.[a[c]!] ?? NaN);
    return value;
  });
  const most = usual(Float32Array.from(values.flatMap((value) => [...value])));
  return values.map((value) => ({ by: 'logProb', value, most }));
}

/** How far the main run's choices differ from the other's at the token beside it; `unknown` where there is none. */
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
      const sites = parts[sequence]?.sites;
      if (!sites) return;
      pairs.shares(sites, sequence, partners[sequence]!).forEach((share, t) => {
        if (Number.isNaN(share)) return;
        const cell = r * columns.count + from + t;
        raster.expert[cell] = 0;
        raster.strength[cell] = share;
      });
    });
  return raster;
}

/** A token's change of log-probability, which is the same in all rows. @param changes one for each sequence */
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
