/** How two runs differ, cell by cell and token by token. Pure. */
import { ChoicePairs, type Change } from '../../src/trace/alignment/change.js';
import type { Side } from '../../src/protocol/panel.js';
import type { Trace } from '../../src/trace/model/trace.js';
import type { Partners } from '../background/background.js';
import type { Columns } from './columns.js';
import { blank, nothing, type Raster, type Row, unknown } from './model.js';

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

/**
 * Tells tokens that the other text does not have, which are `nothing`, from those of which nothing is known.
 * @param sides `here`, whose tokens the columns are, and the run that it is compared with
 * @param name which of the runs that `partners` align is `here`
 */
export function withAbsent(
  raster: Raster,
  sides: { readonly here: Trace; readonly there: Trace },
  partners: readonly Pick<Partners, 'alignment'>[],
  name: Side = 'main',
): Raster {
  const expert = raster.expert.slice();
  for (const { sequence, from } of raster.columns.spans) {
    const absent = absentIn(sides, sequence, partners[sequence], name);
    raster.rows.forEach(({ parts }, r) => {
      const base = r * raster.columns.count + from;
      if (parts[sequence])
        absent.forEach((isAbsent, t) => {
          if (isAbsent && expert[base + t] === unknown) expert[base + t] = nothing;
        });
    });
  }
  return { ...raster, expert };
}

/** [T] 1 for each token that the other text does not have; none while tokens of that are to come. */
export function absentIn(
  { here, there }: { readonly here: Trace; readonly there: Trace },
  sequence: number,
  partners: Pick<Partners, 'alignment'> | undefined,
  name: Side = 'main',
): Uint8Array {
  const [own, other] = [here.sequences[sequence], there.sequences[sequence]];
  const absent = new Uint8Array(own?.tokens.count ?? 0);
  if (!partners || !own || !other || other.done < other.tokens.count) return absent;
  const { a, b, same } = partners.alignment;
  const of = name === 'main' ? a : b;
  absent.fill(1, 0, own.done);
  same.forEach((isSame, c) => {
    if (isSame) absent[of[c]!] = 0;
  });
  return absent;
}

/** Each token's change in log-probability, the same in all rows. @param changes one per sequence */
export function changeRaster(changes: readonly Change[], rows: readonly Row[], columns: Columns): Raster {
  const change = new Float32Array(columns.count).fill(NaN);
  const { most, isPast } = changes[0]!;
  const raster: Raster = {
    ...blank('change', rows, columns),
    change,
    scale: { weak: -most, strong: most, isPast },
  };
  for (const { sequence, from } of columns.spans) {
    const { value } = changes[sequence]!;
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
