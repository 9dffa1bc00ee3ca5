import type { UnfinishedAtlas } from '../host/atlasMaking.js';
import type { ExpertInfo, PoolInfo } from '../requests/api.js';
import {
  type Layer,
  layersAmong,
  matches,
  rowsAt,
  sharedModules,
  type SharedModules,
  textTokens,
} from '../trace/model/access.js';
import type { Warning } from '../requests/description.js';
import { leaderAt, type Measure, measureOf } from '../trace/figures/measure.js';
import { tokenLeaders, tokenShares } from '../trace/figures/leaders.js';
import type { Trace } from '../trace/model/trace.js';

/**
 * A node of the tree. The experts of a trace and of the pool may differ in order, so they are matched by id. `expert` is an index
 * in the trace's experts, which are the same at all modules (if not, none of the pool's experts is in the trace).
 */
export type Node =
  /** An atlas in the making, or one that was begun. */
  | { readonly kind: 'atlas'; readonly atlas: UnfinishedAtlas }
  /** What is run, if it is not a pool. */
  | { readonly kind: 'model'; readonly name: string; readonly warnings: readonly Warning[] }
  /** A layer with its own experts, and one of these, as an index in the layer's set. */
  | { readonly kind: 'expert-layer'; readonly layer: Layer }
  | { readonly kind: 'layer-expert'; readonly layer: Layer; readonly expert: number }
  | { readonly kind: 'pool'; readonly pool: PoolInfo; readonly warnings: readonly Warning[] }
  /** A part of the pool that was left out, and why. */
  | { readonly kind: 'warning'; readonly text: string; readonly index: number }
  | { readonly kind: 'expert'; readonly expert: ExpertInfo; readonly index: number; readonly label: string }
  /** The layers or tokens that an expert leads: `count` out of `of`. */
  | { readonly kind: 'layers'; readonly expert: number; readonly count: number; readonly of: number }
  | { readonly kind: 'tokens'; readonly expert: number; readonly count: number; readonly of: number }
  | {
      readonly kind: 'layer';
      readonly expert: number;
      readonly layer: Layer;
      readonly count: number;
      readonly of: number;
    }
  /** One site. */
  | {
      readonly kind: 'module';
      readonly expert: number;
      readonly module: number;
      readonly count: number;
      readonly of: number;
    }
  /** `share` of the token's routing weight, or of its choices if the source gave no weights; NaN where all are alike. */
  | {
      readonly kind: 'token';
      readonly expert: number;
      readonly token: number;
      readonly share: number;
      readonly of: Measure;
    };

/** How many of an expert's tokens are listed. */
export const listedTokens = 200;

export type NodeOf<K extends Node['kind']> = Extract<Node, { kind: K }>;
type LayerNode = NodeOf<'layer'>;
type ModuleNode = NodeOf<'module'>;
type TokenNode = NodeOf<'token'>;

/** The modules that the tree shows: those of the text, if they all have the same experts. */
export function treeModules(trace: Trace): SharedModules | undefined {
  return sharedModules(trace, { sequence: 0 });
}

/** Modules at which the expert leads at least one token of the text, those with the most tokens first. */
export function modulesLed(
  trace: Trace,
  { modules, sequence }: SharedModules,
  expert: number,
  layer?: Layer,
): ModuleNode[] {
  const tokens = textTokens(sequence);
  return Array.from(modules)
    .filter((module) => matches(trace.modules[module]!, layer ?? {}))
    .map((module): ModuleNode => {
      const rows = rowsAt(trace, module);
      let count = 0;
      for (const t of tokens) if (leaderAt(rows, t) === expert) count++;
      return { kind: 'module', expert, module, count, of: tokens.length };
    })
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count || a.module - b.module);
}

/** For the cells of one layer over the text: how many each expert leads, out of `of`. */
interface LayerLeads {
  readonly layer: Layer;
  readonly counts: Int32Array;
  readonly of: number;
}

const known = new WeakMap<Trace, readonly LayerLeads[]>();

function leadsOf(trace: Trace, { modules, sequence, experts }: SharedModules): readonly LayerLeads[] {
  let leads = known.get(trace);
  if (leads) return leads;
  const tokens = textTokens(sequence);
  leads = layersAmong(trace, modules).map((layer) => {
    const own = modules.filter((s) => matches(trace.modules[s]!, layer));
    const counts = new Int32Array(experts.length);
    for (const module of own) {
      const rows = rowsAt(trace, module);
      for (const t of tokens) {
        const leader = leaderAt(rows, t);
        if (leader >= 0) counts[leader]!++;
      }
    }
    return { layer, counts, of: tokens.length * own.length };
  });
  known.set(trace, leads);
  return leads;
}

/** An expert's layers and tokens. */
export function groupsOf(trace: Trace, shared: SharedModules, expert: number): Node[] {
  return [
    { kind: 'layers', expert, count: layersLed(trace, shared, expert).length, of: leadsOf(trace, shared).length },
    { kind: 'tokens', expert, count: tokensTaken(trace, expert).length, of: textTokens(shared.sequence).length },
  ];
}

/** Layers in which no other expert leads more cells, those with the largest share first. */
export function layersLed(trace: Trace, shared: SharedModules, expert: number): LayerNode[] {
  return leadsOf(trace, shared)
    .map(({ layer, counts, of }) => ({ layer, count: counts[expert]!, most: Math.max(...counts), of }))
    .filter(({ count, most }) => count > 0 && count === most)
    .map(({ layer, count, of }): LayerNode => ({ kind: 'layer', expert, layer, count, of }))
    .sort((a, b) => b.count / b.of - a.count / a.of);
}

/** The tokens that the expert leads over all modules (or at one), those with the largest share first, up to a limit. */
export function tokensLed(trace: Trace, expert: number, module?: number): TokenNode[] {
  return tokensTaken(trace, expert, module).slice(0, listedTokens);
}

function tokensTaken(trace: Trace, expert: number, module?: number): TokenNode[] {
  const shared = sharedModules(trace, {
    sequence: 0,
    module: module === undefined ? undefined : trace.modules[module]!.path,
  });
  if (!shared) return [];
  const leaders = tokenLeaders(trace, shared).expert;
  return tokenNodes(
    trace,
    shared,
    expert,
    Array.from(textTokens(shared.sequence)).filter((token) => leaders[token] === expert),
  );
}

/** Some of the text's tokens, those with the expert's largest share first. */
export function tokenNodes(
  trace: Trace,
  shared: SharedModules,
  expert: number,
  tokens: readonly number[],
): TokenNode[] {
  const of = measureOf(trace, shared.modules, 'weight');
  return tokens
    .map((token): TokenNode => ({
      kind: 'token',
      expert,
      token,
      share: tokenShares(trace, shared, token)[expert]!,
      of,
    }))
    .sort((a, b) => b.share - a.share || a.token - b.token);
}
