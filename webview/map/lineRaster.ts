/** What a map of lines shows: a summary of each line's tokens, or each expert's share of the lines. Pure. */
import { mean } from 'd3-array';
import { isMeasure, type Scale } from '../../src/trace/figures/colouring.js';
import type { SharedModules } from '../../src/trace/model/access.js';
import { allTokenShares } from '../../src/trace/figures/leaders.js';
import type { ShownExperts } from '../../src/trace/model/shownExperts.js';
import type { Trace } from '../../src/trace/model/trace.js';
import type { Columns } from './columns.js';
import { blank, hidden, nothing, unknown, withNumbers, type Raster, type Row } from './model.js';

/**
 * Sums up a raster of tokens by line: the expert that leads most of a line's tokens, as strong as their share; of numbers, the
 * mean, on a scale of the lines' own, or of a change on that of its tokens. Colours are never averaged.
 *
 * Where only chosen experts are shown, one is as strong as its share of the weight of all the line's tokens.
 *
 * @param scale of a measure; default: that of the lines
 */
export function byLines(tokens: Raster, columns: Columns, scale?: Scale): Raster {
  const { rows, shows, isFiltered } = tokens;
  const changed = tokens.changed && new Float32Array(rows.length * columns.count);
  const change = tokens.change && new Float32Array(columns.count).fill(NaN);
  const measured = tokens.measured && new Float32Array(rows.length * columns.count).fill(NaN);
  const made: Raster = {
    ...blank(shows, rows, columns, changed),
    ...(change && { change, ...(tokens.scale && { scale: tokens.scale }) }),
    ...(measured && { measured }),
    tokens,
    ...(isFiltered && { isFiltered }),
  };
  const most = Math.max(2, ...rows.flatMap(({ parts }) => parts.map((part) => part?.experts.length ?? 0)));
  const sums = { counts: new Int32Array(most), shares: new Float64Array(most) };
  for (const { sequence, from, lines } of columns.spans) {
    const first = tokens.columns.spans.find((one) => one.sequence === sequence)?.from;
    if (!lines || first === undefined) continue;
    for (let l = 0; l < lines.count; l++) {
      const range = {
        from: first + lines.first[l]!,
        to: first + lines.end[l]!,
        isIn: (c: number) => lines.of[c - first] === l,
      };
      if (lines.first[l]! < 0) continue;
      if (change) change[from + l] = meanOf(tokens.change, range);
      for (let r = 0; r < rows.length; r++) sumUp(tokens, r, range, sums, made, r * columns.count + from + l);
    }
  }
  return measured && isMeasure(shows) ? withNumbers(made, shows, measured, scale) : made;
}

interface Range {
  readonly from: number;
  readonly to: number;
  readonly isIn: (column: number) => boolean;
}

function meanOf(values: Float32Array, { from, to, isIn }: Range): number {
  return mean(values.subarray(from, to), (x, i) => (isIn(from + i) ? x : NaN)) ?? NaN;
}

/** By expert: how many tokens it leads, and the sum of its shares of them. */
interface Sums {
  readonly counts: Int32Array;
  readonly shares: Float64Array;
}

/** Fills one cell of `made`. @param sums all 0, before and after */
function sumUp(
  tokens: Raster,
  row: number,
  { from, to, isIn }: Range,
  { counts, shares }: Sums,
  made: Raster,
  cell: number,
): void {
  const { expert, strength, changed, measured, columns, shows } = tokens;
  const base = row * columns.count;
  let [best, known, others, sum, flips, total, without] = [-1, 0, 0, 0, 0, 0, unknown];
  for (let c = from; c < to; c++) {
    if (!isIn(c)) continue;
    const e = expert[base + c]!;
    if (e < 0) {
      // `hidden` says more than `nothing`, and `nothing` more than `unknown`.
      if (e !== unknown && without !== hidden) without = e;
      if (e !== unknown) others++;
      continue;
    }
    known++;
    counts[e]!++;
    shares[e]! += strength[base + c]!;
    if (best < 0 || counts[e]! > counts[best]! || (counts[e] === counts[best] && e < best)) best = e;
    sum += shows === 'change' && e === 0 ? -strength[base + c]! : strength[base + c]!;
    if (changed) flips += changed[base + c]!;
    if (measured) total += measured[base + c]!;
  }
  const isLed = shows === 'experts';
  if (known === 0) made.expert[cell] = without;
  else {
    made.expert[cell] = isLed ? best : shows === 'change' && sum >= 0 ? 1 : 0;
    made.strength[cell] =
      isLed && made.isFiltered?.[row]
        ? shares[best]! / (known + others)
        : (isLed ? counts[best]! : Math.abs(sum)) / known;
    if (made.changed) made.changed[cell] = flips / known;
    if (made.measured) made.measured[cell] = total / known;
  }
  for (let c = from; c < to; c++) if (expert[base + c]! >= 0) counts[expert[base + c]!] = shares[expert[base + c]!] = 0;
}

/** One row per expert in sight. @param wanted ids; none: all */
export function expertRows({ set, layer, parts }: ShownExperts, wanted: readonly string[]): Row[] {
  const some = set.experts.some(({ id }) => wanted.includes(id));
  return set.experts.flatMap(({ id }, expert) =>
    some && !wanted.includes(id) ? [] : [{ ...(layer ?? { layer: 0 }), module: -1, kind: '', parts, expert }],
  );
}

/** Each expert's share of a line: of the routing weight of its tokens, over all routed modules in sight. */
export function expertRaster(trace: Trace, rows: readonly Row[], columns: Columns): Raster {
  const made = blank('experts', rows, columns);
  const share = new Float32Array(rows.length * columns.count).fill(NaN);
  let most = 1e-6;
  for (const { sequence, from, lines } of columns.spans) {
    const part: SharedModules | undefined = rows[0]?.parts[sequence];
    if (!part || !lines) continue;
    const all = allTokenShares(trace, part);
    const N = part.experts.length;
    for (let l = 0; l < lines.count; l++) {
      const sums = new Float64Array(N);
      let total = 0;
      for (let t = lines.first[l]!; t >= 0 && t < Math.min(part.sequence.done, lines.end[l]!); t++)
        for (let e = 0; lines.of[t] === l && e < N; e++) {
          sums[e]! += all[t * N + e]!;
          total += all[t * N + e]!;
        }
      if (total === 0) continue;
      rows.forEach(({ expert: e }, r) => {
        const own = sums[e!]! / total;
        share[r * columns.count + from + l] = own;
        made.expert[r * columns.count + from + l] = own > 0 ? e! : nothing;
        most = Math.max(most, own);
      });
    }
  }
  // The largest share that any expert has of any line is the strongest.
  share.forEach((own, i) => (made.strength[i] = own > 0 ? own / most : 0));
  return { ...made, share, most, isPale: true };
}
