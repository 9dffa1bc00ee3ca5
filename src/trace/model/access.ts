/** Where things lie in a trace: a site's rows, and the sites and tokens that a view is about. */
import { matches, type SiteFilter } from './filter.js';
import type { Block, Expert, ExpertSet, Sequence, Site, Stack, Trace } from './trace.js';
import { type SiteWhatIf, whatIfAt } from './whatIf.js';

export { matches, type SiteFilter };

/** One site's rows, over the trace's own memory. T tokens of its sequence, row-major. */
export interface Rows {
  readonly site: Site;
  /** Its set's, N of them. */
  readonly set: ExpertSet;
  readonly tokens: number;
  /** How many of these, from the first on, are routed. */
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
  /** What the run's interventions do here; undefined where none does anything. */
  readonly whatIf: SiteWhatIf | undefined;
}

export function blockOf(trace: Trace, s: number): Block {
  // A few blocks at most; a pool has one.
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

/** Whether the source says anything of a token at a site: it may have left it out, or not have come to it yet. */
export function isKnown({ chosen, weight, k }: Rows, t: number): boolean {
  return chosen[t * k]! >= 0 || (weight !== undefined && !Number.isNaN(weight[t * k]!));
}

/** Indexes of the sites that a filter leaves, ascending. */
export function sitesOf(trace: Trace, filter: SiteFilter = {}): Int32Array {
  return Int32Array.from(trace.sites.keys()).filter((s) => matches(trace.sites[s]!, filter));
}

declare const oneSet: unique symbol;

/**
 * Sites over the same tokens where an expert's index means the same expert: all that may be added up, averaged or coloured
 * by expert. Only `sharedSites` makes one, so what counts experts cannot be asked about sites whose experts are strangers.
 */
export interface SharedSites {
  readonly [oneSet]: true;
  /** Ascending. */
  readonly sites: Int32Array;
  readonly sequence: Sequence;
  readonly set: ExpertSet;
  readonly experts: readonly Expert[];
}

/** The sites that a filter leaves; undefined where these have no set of experts or no tokens in common, or there are none. */
export function sharedSites(trace: Trace, filter: SiteFilter = {}): SharedSites | undefined {
  const sites = sitesOf(trace, filter);
  if (sites.length === 0) return undefined;
  const first = trace.sites[sites[0]!]!;
  const set = trace.expertSets[first.expertSet]!;
  // A source may name the experts of all layers once, when they are called the same: they are others all the same.
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

/** A layer of a stack: decoders count theirs from 0 again. */
export interface Layer {
  readonly stack?: Stack;
  readonly layer: number;
  /** The kind of its sites, where a layer has several routers with experts of their own: each is looked at by itself. */
  readonly router?: string;
}

const divided = new WeakMap<Trace, ReadonlySet<string>>();

/** Layers whose kinds of sites have each their own experts: of attention and of the MLP, say. */
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

/** The layer that a site is in; where that has several routers, as the one of the site. */
export function layerAt(trace: Trace, site: Site): Layer {
  const { stack, layer, kind } = site;
  const isDivided = dividedLayers(trace).has(placeOf(site));
  return { layer, ...(stack && { stack }), ...(isDivided && { router: kind }) };
}

/** The layers that have sites, in the order of the site axis. */
export function layersOf(trace: Trace, filter: SiteFilter = {}): Layer[] {
  return layersAmong(trace, sitesOf(trace, filter));
}

/** The layers that some sites are of, in their order. */
export function layersAmong(trace: Trace, sites: Int32Array): Layer[] {
  return layersIn(Array.from(sites, (s) => layerAt(trace, trace.sites[s]!)));
}

/** The same of the sites themselves. */
export function layersIn(sites: Iterable<Layer>): Layer[] {
  const seen = new Map<string, Layer>();
  for (const { stack, layer, router } of sites) {
    const key = `${placeOf({ layer, ...(stack && { stack }) })} ${router ?? ''}`;
    if (!seen.has(key)) seen.set(key, { layer, ...(stack && { stack }), ...(router !== undefined && { router }) });
  }
  return [...seen.values()];
}

/** The kinds that the trace's sites have, in the order of the site axis. */
export function kindsOf(trace: Trace, filter: SiteFilter = {}): string[] {
  return [...new Set(Array.from(sitesOf(trace, filter), (s) => trace.sites[s]!.kind))];
}

export function isSpecial({ tokens }: Sequence, t: number): boolean {
  return tokens.special?.[t] === 1;
}

/** Indexes of the tokens that statistics are about: routed, and not special. */
export function textTokens(sequence: Sequence): Int32Array {
  return Int32Array.from({ length: sequence.done }, (_, t) => t).filter((t) => !isSpecial(sequence, t));
}
