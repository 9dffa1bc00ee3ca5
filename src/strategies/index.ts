/** Strategies by name: how they are written and read, what they need, and what a trace's router says of them. */
import { routerText } from '../trace/text/label.js';
import type { Router } from '../trace/model/trace.js';
import type { StrategyOffer } from './strategy.js';
import { all } from './all.js';
import { ownRouter } from './own.js';
import type { PoolPart, Strategy, StrategyDescriptor } from './strategy.js';

export type { Strategy };
export { ownRouter };

/** What lists say of a strategy, and what a request for it says besides; of a model's own router, too. */
export function wordsOf(name: string): Pick<StrategyDescriptor, 'name' | 'title' | 'hint' | 'takes'> | undefined {
  return name === ownRouter.name ? ownRouter : descriptorOf(name);
}

export function descriptorOf(name: string): StrategyDescriptor | undefined {
  return all.find((descriptor) => descriptor.name === name);
}

/** Those that a pool has the files for. */
export function strategiesFor(parts: readonly PoolPart[]): StrategyOffer[] {
  return all.filter(({ needs }) => needs.every((part) => parts.includes(part))).map(offerOf);
}

/** Those of the names that are strategies, in the order in which lists show them. */
export function offersOf(names: readonly string[]): StrategyOffer[] {
  return all.filter(({ name }) => names.includes(name)).map(offerOf);
}

/** The router of a model that has one, asked for k experts. */
export const ownOffer: StrategyOffer = offerOf(ownRouter);

function offerOf({
  name,
  title,
  hint,
  takes,
}: Pick<StrategyDescriptor, 'name' | 'title' | 'hint' | 'takes'>): StrategyOffer {
  return { name, title, hint, takes: takes ? [takes] : [] };
}

/** What a strategy takes, filled in. */
export function strategyOf(name: string, { k, expert }: { readonly k: number; readonly expert: string }): Strategy {
  const takes = wordsOf(name)?.takes;
  return { name, ...(takes === 'k' && { k }), ...(takes === 'expert' && { expert }) };
}

/** For a pool: its own k, or the strategy's usual one, but no more than there are experts. */
export function usualK(name: string, pool: { readonly topK: number; readonly experts: readonly unknown[] }): number {
  return Math.min(descriptorOf(name)?.usualK ?? pool.topK, Math.max(1, pool.experts.length));
}

/** The strategy with a k that N experts can give: more of them means all, and the trace says how many that is. */
export function bounded(strategy: Strategy, experts: number): Strategy {
  const { k } = strategy;
  return k === undefined ? strategy : { ...strategy, k: Math.min(k, Math.max(1, experts)) };
}

/** As on the command line: `base`, `phatgoose:2`, `single:python`, `retrieval` (and what it picked, if known). */
export function strategyText(strategy: Strategy): string {
  return routerText(routerOf(strategy));
}

/** How every strategy may be written, for messages. */
export function strategyForms(): string {
  const argument = { k: '[:k]', expert: ':<expert>' };
  return all.map(({ name, takes }) => name + (takes ? argument[takes] : '')).join(', ');
}

/** A count from 1; undefined for all else. */
export function readCount(text: string): number | undefined {
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined;
}

/** What `strategyText` wrote; `k` is for those that take one and do not name it. Undefined if it is not a strategy. */
export function readStrategy(text: string, k?: (name: string) => number): Strategy | undefined {
  const [, name, argument] = /^([^:]*)(?::(.*))?$/s.exec(text)! as unknown as [string, string, string?];
  const descriptor = wordsOf(name);
  switch (descriptor?.takes) {
    case 'expert':
      return argument ? { name, expert: argument } : undefined;
    case 'k': {
      const count = argument === undefined ? k?.(name) : readCount(argument);
      return count === undefined ? undefined : { name, k: count };
    }
    case undefined:
      return descriptor && argument === undefined ? { name } : undefined;
  }
}

/** What a trace says of the router of a strategy. */
export function routerOf({ name, k, expert }: Strategy): Router {
  return {
    name,
    scoring: 'softmax',
    ...(k !== undefined && { k }),
    ...(expert !== undefined && { params: { expert } }),
  };
}

/** The strategy that a trace's router stands for, as far as it is one of a pool's. */
export function strategyOfRouter({ name, k, params }: Router): Strategy {
  const expert = params?.['expert'];
  return { name, ...(k !== undefined && { k }), ...(typeof expert === 'string' && { expert }) };
}
