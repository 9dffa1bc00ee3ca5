/** What each grid cell shows, worked out once for a trace and a filter: an expert and a strength. Drawing only reads it. */
import { chosenOffset, isEven, kindsOf, layersOf, tokenCount } from '../src/trace/access.js';
import { alignTraces, type Alignment } from '../src/trace/align.js';
import { certaintyAt } from '../src/trace/distribution.js';
import { tokenLeaders, type Leaders } from '../src/trace/leaders.js';
import { chosenCount, saturationOf, shared } from '../src/trace/overlap.js';
import type { Trace } from '../src/trace/trace.js';
import type { Filter, View } from './state.js';

/** A layer as a whole (`module` −1) or one module. */
export interface Row {
  readonly layer: number;
  readonly module: number;
  readonly kind: string;
  /** The modules that it sums up. */
  readonly modules: readonly number[];
}

export interface Raster {
  readonly rows: readonly Row[];
  readonly tokens: number;
  /** [R, T] expert; −1 nothing to show; −2 the filter hides it. */
  readonly expert: Int16Array;
  /** [R, T] 0..1; for a difference: how different. */
  readonly strength: Float32Array;
  /** [R, T] share of the choices that a what-if changed; undefined without one. */
  readonly changed: Float32Array | undefined;
}

export const nothing = -1;
export const hidden = -2;

export function rowsOf(trace: Trace, filter: Filter, expanded: View['expanded']): Row[] {
  const kinds = filter.kinds.length > 0 ? filter.kinds : kindsOf(trace);
  const rows: Row[] = [];
  for (const layer of layersOf(trace)) {
    if (filter.layers && (layer < filter.layers[0] || layer > filter.layers[1])) continue;
    const modules = [...trace.modules.keys()].filter(
      (m) => trace.modules[m]!.layer === layer && kinds.includes(trace.modules[m]!.kind),
    );
    if (modules.length === 0) continue;
    const open = expanded === 'all' || expanded.includes(layer);
    if (!open) rows.push({ layer, module: -1, kind: '', modules });
    else for (const m of modules) rows.push({ layer, module: m, kind: trace.modules[m]!.kind, modules: [m] });
  }
  return rows;
}

/** Below an even split between the chosen a leader cannot fall: strength starts there. */
function strengthOf(share: number, k: number): number {
  const floor = k > 1 ? 1 / k : 0;
  return Math.min(1, Math.max(0, (share - floor) / (1 - floor || 1)));
}

export function rasterOf(trace: Trace, rows: readonly Row[], filter: Filter, before?: Trace): Raster {
  const T = tokenCount(trace);
  const N = trace.experts.length;
  const expert = new Int16Array(rows.length * T).fill(nothing);
  const strength = new Float32Array(rows.length * T);
  const wanted = wantedExperts(trace, filter);
  const shares = new Float64Array(N);
  rows.forEach((row, r) => {
    const single = row.modules.length === 1;
    for (let t = 0; t < trace.done; t++) {
      const cell = r * T + t;
      let best = nothing;
      let most = 0;
      let total = 0;
      shares.fill(0);
      let any = false;
      for (const m of row.modules) {
        const at = chosenOffset(trace, m, t);
        if (filter.margin !== null && !closerThan(trace, m, t, filter.margin)) continue;
        for (let i = at; i < at + trace.k; i++) {
          const e = trace.chosen[i]!;
          if (e < 0) continue;
          any = true;
          const w = trace.weight[i]!;
          total += w;
          if (wanted && !wanted[e]) continue;
          if (w < filter.weight) continue;
          shares[e]! += w;
        }
      }
      for (let e = 0; e < N; e++) if (shares[e]! > most) [best, most] = [e, shares[e]!];
      const even = best !== nothing && isEven(shares);
      if (best === nothing || even) {
        expert[cell] = !even && (any || filter.margin !== null) ? hidden : nothing;
        continue;
      }
      const share = total > 0 ? most / total : 0;
      expert[cell] = best;
      // A filtered second choice is below an even split: it keeps its own share.
      strength[cell] = wanted ? share : single ? strengthOf(share, trace.k) : share;
    }
  });
  return { rows, tokens: T, expert, strength, changed: before && changes(trace, before, rows) };
}

function wantedExperts(trace: Trace, filter: Filter): boolean[] | undefined {
  const wanted = trace.experts.map((e) => filter.experts.includes(e.id));
  // Experts of another pool filter nothing.
  return wanted.some(Boolean) ? wanted : undefined;
}

function closerThan(trace: Trace, m: number, t: number, limit: number): boolean {
  // Without affinities there is no margin that could hide anything.
  return trace.affinity === undefined || certaintyAt(trace, m, t).margin <= limit;
}

/** Share of a row's modules whose chosen set is not what it was. Both runs are of the same text. */
function changes(trace: Trace, before: Trace, rows: readonly Row[]): Float32Array {
  const T = tokenCount(trace);
  const out = new Float32Array(rows.length * T);
  const done = Math.min(trace.done, before.done);
  rows.forEach((row, r) => {
    for (let t = 0; t < done; t++) {
      let flipped = 0;
      for (const m of row.modules) if (disagreement(trace, m, t, before, m, t) > 0) flipped++;
      out[r * T + t] = flipped / row.modules.length;
    }
  });
  return out;
}

/** 1 − |S ∩ S'| ÷ k; 0 where neither chose any. */
function disagreement(a: Trace, ma: number, ta: number, b: Trace, mb: number, tb: number): number {
  const [at, bt] = [chosenOffset(a, ma, ta), chosenOffset(b, mb, tb)];
  const common = shared(a.chosen, at, a.k, b.chosen, bt, b.k);
  const same = saturationOf(common, chosenCount(a.chosen, at, a.k), chosenCount(b.chosen, bt, b.k));
  return Number.isNaN(same) ? 0 : 1 - same;
}

/** How far the main run's choices differ from the other's at the aligned token; −1 where there is no counterpart. */
export function differenceRaster(main: Trace, other: Trace, rows: readonly Row[], partner: Int32Array): Raster {
  const T = tokenCount(main);
  const expert = new Int16Array(rows.length * T).fill(nothing);
  const strength = new Float32Array(rows.length * T);
  const modules = new Map(other.modules.map((m, i) => [m.path, i]));
  rows.forEach((row, r) => {
    for (let t = 0; t < main.done; t++) {
      const u = partner[t]!;
      if (u < 0 || u >= other.done) continue;
      let sum = 0;
      let n = 0;
      for (const m of row.modules) {
        const n2 = modules.get(main.modules[m]!.path);
        if (n2 === undefined) continue;
        sum += disagreement(main, m, t, other, n2, u);
        n++;
      }
      if (n === 0) continue;
      expert[r * T + t] = 0;
      strength[r * T + t] = sum / n;
    }
  });
  return { rows, tokens: T, expert, strength, changed: undefined };
}

/** Worked out once for each trace object; the host sends a new object whenever anything in it changes. */
const leadersKept = new WeakMap<Trace, Leaders>();

export function leaders(trace: Trace): Leaders {
  let kept = leadersKept.get(trace);
  if (!kept) leadersKept.set(trace, (kept = tokenLeaders(trace)));
  return kept;
}

/**
 * By the arrays that all traces of a run share: of long texts an alignment takes a second, and holds while there are as
 * many tokens.
 */
const alignments = new WeakMap<object, WeakMap<object, Partners & { readonly done: string }>>();

export interface Partners {
  readonly alignment: Alignment;
  /** [T] of the first: the second's token beside it, −1 for none; and the other way round. */
  readonly of: Int32Array;
  readonly back: Int32Array;
}

export function partners(a: Trace, b: Trace): Partners {
  let kept = alignments.get(a.chosen);
  if (!kept) alignments.set(a.chosen, (kept = new WeakMap()));
  const done = `${a.done} ${b.done}`;
  let found = kept.get(b.chosen);
  if (found?.done !== done) {
    const alignment = alignTraces(a, b);
    const of = new Int32Array(tokenCount(a)).fill(-1);
    const back = new Int32Array(tokenCount(b)).fill(-1);
    for (let c = 0; c < alignment.a.length; c++) {
      const [i, j] = [alignment.a[c]!, alignment.b[c]!];
      if (i >= 0) of[i] = j;
      if (j >= 0) back[j] = i;
    }
    kept.set(b.chosen, (found = { alignment, of, back, done }));
  }
  return found;
}
