/** How two runs differ, cell by cell and token by token. Pure. */
import { isKnown, rowsAt, sitesOf, type Rows } from '../../src/trace/access.js';
import type { Trace } from '../../src/trace/trace.js';
import type { Partners } from '../background/work.js';
import type { Columns } from './columns.js';
import { blank, disagreement, usual, type Raster, type Row } from './model.js';

/** The sites that both runs have, side by side. */
class Pairs {
  readonly #there: ReadonlyMap<string, number>;

  constructor(
    private readonly main: Trace,
    private readonly other: Trace,
  ) {
    this.#there = new Map(other.sites.map(({ path }, s) => [path, s]));
  }

  /**
   * [T] mean share of a token's choices at some sites of a sequence that are others in the other run, which one chooses at
   * the token beside it; NaN where there is none, or nothing is known.
   */
  shares(sites: Int32Array, sequence: number, { of }: Pick<Partners, 'of'>): Float32Array {
    const pairs = Array.from(sites, (s) => {
      const at = this.#there.get(this.main.sites[s]!.path);
      return at === undefined ? undefined : pairOf(rowsAt(this.main, s), rowsAt(this.other, at));
    }).filter((pair) => pair !== undefined);
    const doneThere = this.other.sequences[sequence]?.done ?? 0;
    const { tokens, done } = this.main.sequences[sequence]!;
    return Float32Array.from({ length: tokens.count }, (_, t) => {
      const u = t < done ? of[t]! : -1;
      if (u < 0 || u >= doneThere) return NaN;
      let sum = 0;
      let n = 0;
      for (const { a, b, toB } of pairs) {
        if (!isKnown(a, t) || !isKnown(b, u)) continue;
        sum += disagreement(a, t, b, u, toB);
        n++;
      }
      return n > 0 ? sum / n : NaN;
    });
  }
}

function pairOf(a: Rows, b: Rows): { a: Rows; b: Rows; toB: Int16Array } {
  const at = new Map(b.set.experts.map(({ id }, e) => [id, e]));
  return { a, b, toB: Int16Array.from(a.set.experts, ({ id }) => at.get(id) ?? -1) };
}

/** What becomes of each token of a sequence. */
export interface Change {
  /** By what the runs differ: the share of its choices that do, or the other's log-probability − this one's, in nats. */
  readonly by: 'choices' | 'logProb';
  /** [T] NaN where it is not known. */
  readonly value: Float32Array;
  /** What has the strongest colour. */
  readonly most: number;
}

/** Over all modules that see a sequence. One for each. */
export function choiceChanges(main: Trace, other: Trace, partners: readonly Pick<Partners, 'of'>[]): readonly Change[] {
  const pairs = new Pairs(main, other);
  return partners.map((one, sequence) => ({
    by: 'choices',
    value: pairs.shares(sitesOf(main, { sequence }), sequence, one),
    most: 1,
  }));
}

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
  const pairs = new Pairs(main, other);
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
