import type { ExpertInfo, PoolInfo } from '../engine/api.js';
import { leaderAt, modulesOf, textTokens } from '../trace/access.js';
import { tokenLeaders, tokenShares } from '../trace/leaders.js';
import type { Trace } from '../trace/trace.js';

/** What stands in the tree. A trace's expert axis and the pool's may differ, so experts are matched by id. */
export type Node =
  | { readonly kind: 'pool'; readonly pool: PoolInfo }
  /** What of the pool takes no part, and why. */
  | { readonly kind: 'warning'; readonly text: string; readonly index: number }
  | { readonly kind: 'expert'; readonly expert: ExpertInfo; readonly index: number }
  /** The layers, or all tokens, of an expert. */
  | { readonly kind: 'layers'; readonly expert: number }
  | { readonly kind: 'tokens'; readonly expert: number }
  | {
      readonly kind: 'layer';
      readonly expert: number;
      readonly layer: number;
      readonly count: number;
      readonly of: number;
    }
  | {
      readonly kind: 'module';
      readonly expert: number;
      readonly module: number;
      readonly count: number;
      readonly of: number;
    }
  | { readonly kind: 'token'; readonly expert: number; readonly token: number; readonly share: number };

/** Of an expert's tokens so many are listed. */
export const listedTokens = 200;

type LayerNode = Extract<Node, { kind: 'layer' }>;
type ModuleNode = Extract<Node, { kind: 'module' }>;
type TokenNode = Extract<Node, { kind: 'token' }>;

/** Modules in which the expert leads at least one token of the text, the most first. */
export function modulesLed(trace: Trace, expert: number, layer?: number): ModuleNode[] {
  const tokens = textTokens(trace);
  return Array.from(modulesOf(trace, { layer }), (module): ModuleNode => {
    let count = 0;
    for (const t of tokens) if (leaderAt(trace, module, t) === expert) count++;
    return { kind: 'module', expert, module, count, of: tokens.length };
  })
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count || a.module - b.module);
}

/** Layers in which the expert leads, by the cells it leads there, the most first. */
export function layersLed(trace: Trace, expert: number): LayerNode[] {
  const layers = new Map<number, LayerNode>();
  const size = new Map<number, number>();
  for (const { layer } of trace.modules) size.set(layer, (size.get(layer) ?? 0) + 1);
  for (const { module, count, of } of modulesLed(trace, expert)) {
    const { layer } = trace.modules[module]!;
    const before = layers.get(layer)?.count ?? 0;
    layers.set(layer, { kind: 'layer', expert, layer, count: before + count, of: of * size.get(layer)! });
  }
  return [...layers.values()].sort((a, b) => b.count - a.count || a.layer - b.layer);
}

/** Tokens that the expert leads over all modules (or at one), the surest first. */
export function tokensLed(trace: Trace, expert: number, module?: number): TokenNode[] {
  const filter = module === undefined ? {} : { module: trace.modules[module]!.path };
  const leaders = tokenLeaders(trace, filter).expert;
  return Array.from(textTokens(trace))
    .filter((token) => leaders[token] === expert)
    .map((token): TokenNode => ({ kind: 'token', expert, token, share: tokenShares(trace, token, filter)[expert]! }))
    .sort((a, b) => b.share - a.share || a.token - b.token)
    .slice(0, listedTokens);
}
