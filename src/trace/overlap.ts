/** How far two choices agree. */
import { chosenCount, isKnown, layersAmong, type Rows, rowsAt, type SharedSites, textTokens } from './access.js';
import { Mean } from '../statistics/mean.js';
import type { Trace } from './trace.js';

/** |S ∩ S'| of two chosen sets; −1 is no expert. */
export function shared(
  a: Int16Array,
  aAt: number,
  aK: number,
  b: Int16Array,
  bAt: number,
  bK: number,
  toB?: Int16Array,
): number {
  let count = 0;
  for (let i = aAt; i < aAt + aK; i++) {
    const e = a[i]! < 0 || !toB ? a[i]! : toB[a[i]!]!;
    if (e < 0) continue;
    for (let j = bAt; j < bAt + bK; j++) if (b[j] === e) count++;
  }
  return count;
}

/**
 * Whether every site sends all its tokens to the same experts, or to none: nothing is chosen there, so that another run's
 * choices have nothing to agree with.
 */
export function isFixed(trace: Trace): boolean {
  return trace.sites.every((_, s) => isFixedAt(rowsAt(trace, s), trace));
}

function isFixedAt(rows: Rows, { sequences }: Trace): boolean {
  const { chosen, k, site } = rows;
  const done = sequences[site.sequence]?.done ?? 0;
  let first = -1;
  for (let t = 0; t < done; t++) {
    if (!isKnown(rows, t)) continue;
    if (first < 0) first = t;
    const common = shared(chosen, first * k, k, chosen, t * k, k);
    if (common !== chosenCount(rows, first) || common !== chosenCount(rows, t)) return false;
  }
  return true;
}

/** |S ∩ S'| ÷ k, k the larger of the two; NaN when both are empty. */
export function saturationOf(common: number, a: number, b: number): number {
  return common / Math.max(a, b);
}

/** |S ∩ S'| ÷ |S ∪ S'|; NaN when both are empty. */
export function jaccardOf(common: number, a: number, b: number): number {
  return common / (a + b - common);
}

/** What saturation would be if both drew their experts evenly from E: the smaller set's size over E. */
export function chanceSaturation(a: number, b: number, experts: number): number {
  return Math.min(a, b) / experts;
}

/** What the Jaccard index would be if both drew their experts evenly from E: the mean over the hypergeometric overlap. */
export function chanceJaccard(a: number, b: number, experts: number): number {
  let mean = 0;
  for (let i = Math.max(0, a + b - experts); i <= Math.min(a, b); i++) {
    mean += ((choose(a, i) * choose(experts - a, b - i)) / choose(experts, b)) * jaccardOf(i, a, b);
  }
  return mean;
}

function choose(n: number, k: number): number {
  let result = 1;
  for (let i = 1; i <= k; i++) result *= (n - k + i) / i;
  return result;
}

/**
 * [L, L] mean saturation between the choices of every two layers at the same token and kind: how far a layer already
 * decides as a later one will. Layers as `layersAmong` the sites; special tokens left out. NaN where two layers have no
 * kind in common. Chance: k/E.
 */
export function layerOverlap(trace: Trace, sites: SharedSites): Float32Array {
  const layers = layersAmong(trace, sites.sites);
  const tokens = textTokens(sites.sequence);
  const all = Array.from(sites.sites, (s) => rowsAt(trace, s));
  const inLayer = layers.map(({ stack, layer }) =>
    all.filter(({ site }) => site.stack === stack && site.layer === layer),
  );
  const out = new Float32Array(layers.length ** 2);
  inLayer.forEach((rowsA, i) => {
    inLayer.forEach((rowsB, j) => {
      const mean = new Mean();
      for (const a of rowsA) {
        for (const b of rowsB) {
          if (a.site.kind !== b.site.kind) continue;
          for (const t of tokens) {
            const common = shared(a.chosen, t * a.k, a.k, b.chosen, t * b.k, b.k);
            mean.add(saturationOf(common, chosenCount(a, t), chosenCount(b, t)));
          }
        }
      }
      out[i * layers.length + j] = mean.value;
    });
  });
  return out;
}
