/** Access to a trace: the rows of a site, and the sites and tokens that a view shows. */
import { matches, type SiteFilter } from './filter.js';
import type { Block, Expert, ExpertSet, Sequence, Site, Stack, Trace } from './trace.js';
import { type SiteWhatIf, whatIfAt } from './whatIf.js';

export { matches, type SiteFilter };

/** The rows of one site: views of the trace's arrays, row-major, over the T tokens of the site's sequence. */
export interface Rows {
  readonly site: Site;
  /** The set that the site's N experts belong to. */
  readonly set: ExpertSet;
  readonly tokens: number;
  /** How many of the tokens are routed so far. */
  readonly done: number;
  readonly experts: number;
  readonly k: number;
  /** [T, k] */
  readonly chosen: Int16Array;
  readonly weight: Float32Array | undefined;
  readonly contribution: Float32Array | undefined;
  /** [T, N] */
  readonly score: Float32Array | undefined;
  readonly selection: Float32Array | undefined;
  /** [T, A] */
  readonly alwaysOnWeight: Float32Array | undefined;
  /** What the run's interventions do here; undefined if none applies. */
  readonly whatIf: SiteWhatIf | undefined;
}

export function blockOf(trace: Trace, s: number): Block {
  // A linear search is enough: a trace has a few blocks, a pool's only one.
  return trace.blocks.find(({ from, to }) => from <= s && s < to)!;
}

/** The rows of site s: views, no copies. Take them once, outside the loop over tokens. */
export function rowsAt(trace: Trace, s: number): Rows {
  const block = blockOf(trace, s);
  const { tokens, done } = trace.sequences[block.sequence]!;
  const site = trace.sites[s]!;
  const set = trace.expertSets[site.expertSet]!;
  const T = tokens.count;
  const row = s - block.from;
  const part = <A extends Float32Array | Int16Array>(array: A, width: number): A =>
    array.subarray(row * T * width, (row + 1) * T * width) as A;
  const { k, experts, alwaysOn } = block;
  return {
    site,
    set,
    tokens: T,
    done,
    experts,
    k,
    chosen: part(block.chosen, k),
    weight: block.weight && part(block.weight, k),
    contribution: block.contribution && part(block.contribution, k),
    score: block.score && part(block.score, experts),
    selection: block.selection && part(block.selection, experts),
    alwaysOnWeight: block.alwaysOnWeight && part(block.alwaysOnWeight, alwaysOn),
    whatIf: whatIfAt(trace.interventions, set.experts, site),
  };
}

/** [k] expert indexes at a cell, best first, −1 for none. */
export function chosenAt(rows: Rows, t: number): Int16Array {
  return rows.chosen.subarray(t * rows.k, (t + 1) * rows.k);
}

/** How many were chosen at a cell: k, or fewer. */
export function chosenCount({ chosen, k }: Rows, t: number): number {
  let count = 0;
  for (let i = t * k; i < (t + 1) * k; i++) if (chosen[i]! >= 0) count++;
  return count;
}

/** Whether the source says anything about a token at a site: it may have left the token out, or not have reached it yet. */
export function isKnown({ chosen, weight, k }: Rows, t: number): boolean {
  return chosen[t * k]! >= 0 || (weight !== undefined && !Number.isNaN(weight[t * k]!));
}

/** Indexes of the sites that match a filter, ascending. */
export function sitesOf(trace: Trace, filter: SiteFilter = {}): Int32Array {
  return Int32Array.from(trace.sites.keys()).filter((s) => matches(trace.sites[s]!, filter));
}

declare const oneSet: unique symbol;

/**
 * Sites over the same tokens at which an expert's index means the same expert, so that choices may be added up, averaged or
 * coloured by expert. Only `sharedSites` makes one: code that counts experts cannot be given sites with unrelated experts.
 */
export interface SharedSites {
  readonly [oneSet]: true;
  /** Ascending. */
  readonly sites: Int32Array;
  readonly sequence: Sequence;
  readonly set: ExpertSet;
  readonly experts: readonly Expert[];
}

/** The sites that match a filter; undefined if none does, or if they differ in their experts or their sequence. */
export function sharedSites(trace: Trace, filter: SiteFilter = {}): SharedSites | undefined {
  const sites = sitesOf(trace, filter);
  if (sites.length === 0) return undefined;
  const first = trace.sites[sites[0]!]!;
  const set = trace.expertSets[first.expertSet]!;
  // A source may list experts of several layers in one set, because their names are equal. They are different experts all the same.
  const isLocal = set.scope === 'layer';
  const alike = sites.every((s) => {
    const { expertSet, sequence, stack, layer } = trace.sites[s]!;
    const isNear = !isLocal || (layer === first.layer && stack === first.stack);
    return expertSet === first.expertSet && sequence === first.sequence && isNear;
  });
  return alike
    ? ({ sites, sequence: trace.sequences[first.sequence]!, set, experts: set.experts } as unknown as SharedSites)
    : undefined;
}

/** A layer. An encoder and a decoder both count theirs from 0, so `stack` tells them apart. */
export interface Layer {
  readonly stack?: Stack;
  readonly layer: number;
  /** The kind of its sites, if the layer has several routers with their own experts; each is then shown by itself. */
  readonly router?: string;
}

const divided = new WeakMap<Trace, ReadonlySet<string>>();

/** Layers in which each kind of site has its own experts, such as one set for attention and one for the MLP. */
function dividedLayers(trace: Trace): ReadonlySet<string> {
  const known = divided.get(trace);
  if (known) return known;
  const sets = new Map<string, Map<string, Set<number>>>();
  for (const site of trace.sites) {
    if (trace.expertSets[site.expertSet]!.scope !== 'layer') continue;
    const kinds = sets.get(placeOf(site)) ?? new Map<string, Set<number>>();
    sets.set(placeOf(site), kinds.set(site.kind, (kinds.get(site.kind) ?? new Set()).add(site.expertSet)));
  }
  const isDivided = (kinds: ReadonlyMap<string, ReadonlySet<number>>) =>
    new Set([...kinds.values()].flatMap((one) => [...one])).size > 1 &&
    [...kinds.values()].every(({ size }) => size === 1);
  const found = new Set([...sets].filter(([, kinds]) => isDivided(kinds)).map(([place]) => place));
  divided.set(trace, found);
  return found;
}

const placeOf = ({ stack, layer }: Layer): string => `${stack ?? ''} ${layer}`;

/** The layer of a site; if that layer has several routers, with the site's own. */
export function layerAt(trace: Trace, site: Site): Layer {
  const { stack, layer, kind } = site;
  const isDivided = dividedLayers(trace).has(placeOf(site));
  return { layer, ...(stack && { stack }), ...(isDivided && { router: kind }) };
}

/** The layers that have sites, in the order of the site axis. */
export function layersOf(trace: Trace, filter: SiteFilter = {}): Layer[] {
  return layersAmong(trace, sitesOf(trace, filter));
}

/** The layers of some sites, in the order of the sites. */
export function layersAmong(trace: Trace, sites: Int32Array): Layer[] {
  return layersIn(Array.from(sites, (s) => layerAt(trace, trace.sites[s]!)));
}

/** Each layer once, in the order given. */
export function layersIn(sites: Iterable<Layer>): Layer[] {
  const seen = new Map<string, Layer>();
  for (const { stack, layer, router } of sites) {
    const key = `${placeOf({ layer, ...(stack && { stack }) })} ${router ?? ''}`;
    if (!seen.has(key)) seen.set(key, { layer, ...(stack && { stack }), ...(router !== undefined && { router }) });
  }
  return [...seen.values()];
}

/** The kinds of the trace's sites, in the order of the site axis. */
export function kindsOf(trace: Trace, filter: SiteFilter = {}): string[] {
  return [...new Set(Array.from(sitesOf(trace, filter), (s) => trace.sites[s]!.kind))];
}

export function isSpecial({ tokens }: Sequence, t: number): boolean {
  return tokens.special?.[t] === 1;
}

/** Indexes of the tokens that statistics count: those that are routed and not special. */
export function textTokens(sequence: Sequence): Int32Array {
  return Int32Array.from({ length: sequence.done }, (_, t) => t).filter((t) => !isSpecial(sequence, t));
}
