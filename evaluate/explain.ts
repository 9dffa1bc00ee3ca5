/** What the reference strategy's traces show: which experts each kind and region used, and how that agrees with the oracle. */
import { kindsOf, layersOf, rowsAt, sharedModules, textTokens } from '../src/trace/model/access.js';
import { bootstrapRatios, type Interval } from '../src/statistics/bootstrap.js';
import { certaintyAt } from '../src/trace/figures/distribution.js';
import type { Trace } from '../src/trace/model/trace.js';
import { load } from '../src/statistics/load.js';
import { usage, usageByLayer } from '../src/trace/figures/usage.js';
import type { Document } from './documents.js';
import { type Region, regionOfTokens } from '../src/trace/text/regions.js';
import type { Explained } from './results.js';
import { mean, sum } from '../src/statistics/mean.js';
import { argmax, spearman } from './rank.js';
import { type Estimate, leastUnits, stratified, type Stratum } from '../src/statistics/stratified.js';

/** What is kept of one document's trace. The pool is on a causal model: one text, and the same experts at every module. */
export function explain(trace: Trace, found: readonly Region[]): Explained {
  const shared = sharedModules(trace);
  if (!shared) throw new TypeError('the trace has no experts in common over its sites');
  const { sequence, experts } = shared;
  const layers = layersOf(trace).map(({ layer }) => layer);
  const kinds = kindsOf(trace);
  const tokens = textTokens(sequence);
  const all = usage(trace, shared, tokens);
  const entropy = layers.map(() => kinds.map(() => 0));
  const entropyCells = layers.map(() => kinds.map(() => 0));
  for (const s of shared.modules) {
    const rows = rowsAt(trace, s);
    const l = layers.indexOf(rows.module.layer);
    const k = kinds.indexOf(rows.module.kind);
    for (const t of tokens) {
      const h = certaintyAt(trace, rows, t).entropy;
      if (Number.isNaN(h)) continue;
      entropy[l]![k]! += h;
      entropyCells[l]![k]!++;
    }
  }
  const regionOf = regionOfTokens(found, sequence.tokens.end ?? new Int32Array(sequence.tokens.count).fill(-1));
  const regions: Explained['regions'] = {};
  for (const name of new Set(found.map((r) => r.name))) {
    const inside = tokens.filter((t) => found[regionOf[t]!]?.name === name);
    if (inside.length === 0) continue;
    const { counts, choices } = usage(trace, shared, inside);
    regions[name] = { tokens: inside.length, counts: [...counts], choices };
  }
  return {
    experts: experts.map((e) => e.id),
    layers,
    kinds,
    tokens: tokens.length,
    counts: [...all.counts],
    cells: all.cells,
    choices: all.choices,
    byLayer: usageByLayer(trace, {}, tokens).map((u) => [...(u?.counts ?? [])]),
    entropy,
    entropyCells,
    regions,
    versions: { ...trace.source.versions },
  };
}

export interface Shares {
  readonly documents: number;
  readonly tokens: number;
  /** [N] share of the choices. Chance: 1/N. */
  readonly share: readonly number[];
  /** [N] by resampling documents; NaN with few documents. */
  readonly interval: readonly Interval[];
}

export interface RegionUse extends Shares {
  readonly name: string;
  /** Half the sum of |share − share in the rest of the same documents|: the part of the choices that would have to move. */
  readonly totalVariation: number;
}

export interface KindUse extends Shares {
  readonly kind: string;
  /** exp H(share): how many evenly used experts would be as varied. Chance: N. */
  readonly effective: number;
  readonly regions: readonly RegionUse[];
}

/** How well the router's choices agree with what single experts would have gained. */
export interface OracleAgreement {
  /** Number of documents with every single expert measured. */
  readonly documents: number;
  /** Share of documents whose most used expert is the best single one. */
  readonly same: Estimate;
  /** The value of `same` if the two were independent, each expert as frequent as observed. */
  readonly chance: number;
  /** Mean over documents of Spearman's correlation between an expert's usage and its gain over base alone. Chance: 0. */
  readonly rank: Estimate;
}

export interface Explanation {
  readonly experts: readonly string[];
  readonly kinds: readonly KindUse[];
  /** Mean over all kinds, equally weighted. */
  readonly share: readonly number[];
  readonly effective: number;
  /** Effective experts of each layer, over all documents. */
  readonly effectiveByLayer: readonly number[];
  /** Absent until all single experts are measured. */
  readonly oracle?: OracleAgreement & { readonly kinds: Readonly<Record<string, OracleAgreement>> };
  /** Mean normalised entropy, 0 to 1 (even). */
  readonly entropy: {
    readonly layers: readonly number[];
    readonly kinds: readonly string[];
    /** [L][K]; null if the trace has no such module. */
    readonly cells: readonly (readonly (number | null)[])[];
    readonly byLayer: readonly (number | null)[];
    readonly byKind: readonly (number | null)[];
  };
}

/** A document with what was kept of its trace and, if all single experts were measured, each one's gain over base. */
export interface Told {
  readonly document: Document;
  readonly explained: Explained;
  /** [N] bits per byte of base minus those of the expert alone. */
  readonly gains?: readonly number[];
}

/** @returns undefined if nothing was traced */
export function summarise(kinds: readonly string[], told: readonly Told[], seed: number): Explanation | undefined {
  const first = told[0]?.explained;
  if (!first) return undefined;
  const n = first.experts.length;
  const of = (kind: string) => told.filter((d) => d.document.kind === kind);
  const uses = kinds.filter((kind) => of(kind).length > 0).map((kind) => useOf(kind, of(kind), n, seed));
  const share = first.experts.map((_, e) => mean(uses.map((use) => use.share[e]!)));
  const layerCounts = first.layers.map((_, l) =>
    first.experts.map((_, e) => sum(told.map((d) => d.explained.byLayer[l]![e]!))),
  );
  const weighed = told.filter((d): d is Told & Required<Pick<Told, 'gains'>> => d.gains !== undefined);
  return {
    experts: first.experts,
    kinds: uses,
    share,
    effective: effective(share),
    effectiveByLayer: layerCounts.map((counts) => effective(counts.map((c) => c / sum(counts)))),
    ...(weighed.length > 0 && {
      oracle: {
        ...agreement(kinds, weighed, n, seed),
        kinds: Object.fromEntries(
          kinds
            .filter((kind) => weighed.some((d) => d.document.kind === kind))
            .map((kind) => [kind, agreement([kind], weighed, n, seed)]),
        ),
      },
    }),
    entropy: entropyOf(told.map((d) => d.explained)),
  };
}

const effective = (share: readonly number[]) => load(Float64Array.from(share)).effective;

function useOf(kind: string, told: readonly Told[], n: number, seed: number): KindUse {
  const explained = told.map((d) => d.explained);
  const names = [...new Set(explained.flatMap((e) => Object.keys(e.regions)))].sort();
  const all = sharesOf(explained, n, seed);
  return {
    kind,
    ...all,
    effective: effective(all.share),
    regions: names.map((name) => {
      const inside = explained.flatMap((e) => e.regions[name] ?? []);
      const rest = explained
        .filter((e) => e.regions[name])
        .map((e) => e.counts.map((count, i) => count - e.regions[name]!.counts[i]!));
      const shares = sharesOf(inside, n, seed);
      const others = Array.from({ length: n }, (_, i) => sum(rest.map((counts) => counts[i]!)));
      const total = sum(others);
      return { name, ...shares, totalVariation: sum(shares.share.map((s, i) => Math.abs(s - others[i]! / total))) / 2 };
    }),
  };
}

function sharesOf(items: readonly Pick<Explained, 'tokens' | 'counts' | 'choices'>[], n: number, seed: number): Shares {
  const wholes = items.map((i) => i.choices);
  const total = sum(wholes);
  return {
    documents: items.length,
    tokens: sum(items.map((i) => i.tokens)),
    share: Array.from({ length: n }, (_, e) => sum(items.map((i) => i.counts[e]!)) / total),
    interval:
      items.length < leastUnits
        ? Array.from({ length: n }, () => ({ low: NaN, high: NaN }))
        : bootstrapRatios(
            items.flatMap((i) => i.counts),
            wholes,
            n,
            { seed, resamples: 1000 },
          ),
  };
}

function agreement(
  kinds: readonly string[],
  told: readonly (Told & Required<Pick<Told, 'gains'>>)[],
  n: number,
  seed: number,
): OracleAgreement {
  const rows = told
    .filter((d) => kinds.includes(d.document.kind))
    .map((d) => ({
      kind: d.document.kind,
      used: argmax(d.explained.counts),
      best: argmax(d.gains),
      rank: spearman(d.explained.counts, d.gains),
    }));
  const strata = (of: (row: (typeof rows)[number]) => number): Stratum[] =>
    kinds
      .map((kind) => rows.filter((row) => row.kind === kind && !Number.isNaN(of(row))))
      .filter((group) => group.length > 0)
      .map((group) => ({ parts: group.map(of), wholes: group.map(() => 1) }));
  // Kinds are weighted equally here too, however many of their documents are done.
  const often = (key: 'used' | 'best', e: number) =>
    mean(strata((row) => (row[key] === e ? 1 : 0)).map(({ parts }) => mean(parts)));
  return {
    documents: rows.length,
    same: stratified(
      strata((row) => (row.used === row.best ? 1 : 0)),
      { seed },
    ),
    chance: sum(Array.from({ length: n }, (_, e) => often('used', e) * often('best', e))),
    rank: stratified(
      strata((row) => row.rank),
      { seed },
    ),
  };
}

function entropyOf(all: readonly Explained[]): Explanation['entropy'] {
  const { layers, kinds } = all[0]!;
  const at = (ls: readonly number[], ks: readonly number[]) => {
    let total = 0;
    let cells = 0;
    for (const e of all) {
      for (const l of ls) {
        for (const k of ks) {
          total += e.entropy[l]![k]!;
          cells += e.entropyCells[l]![k]!;
        }
      }
    }
    return cells > 0 ? total / cells : null;
  };
  const everyLayer = [...layers.keys()];
  const everyKind = [...kinds.keys()];
  return {
    layers,
    kinds,
    cells: everyLayer.map((l) => everyKind.map((k) => at([l], [k]))),
    byLayer: everyLayer.map((l) => at([l], everyKind)),
    byKind: everyKind.map((k) => at(everyLayer, [k])),
  };
}
