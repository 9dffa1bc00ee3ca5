/** Strategies by name: how they are written and parsed, what they need, and how a trace records them. */
import { routerText } from '../trace/text/label.js';
import type { Router } from '../trace/model/trace.js';
import type { StrategyOffer } from './strategy.js';
import { all } from './all.js';
import { nativeRouter } from './native.js';
import type { PoolPart, Strategy, StrategyDescriptor } from './strategy.js';

export type { Strategy };
export { nativeRouter };

/** The texts of a strategy, or of a model's own router, and its argument. */
export function wordsOf(name: string): Pick<StrategyDescriptor, 'name' | 'title' | 'hint' | 'takes'> | undefined {
  return name === nativeRouter.name ? nativeRouter : descriptorOf(name);
}

export function descriptorOf(name: string): StrategyDescriptor | undefined {
  return all.find((descriptor) => descriptor.name === name);
}

/** The strategies that a pool has the files for. */
export function strategiesFor(parts: readonly PoolPart[]): StrategyOffer[] {
  return all.filter(({ needs }) => needs.every((part) => parts.includes(part))).map(offerOf);
}

/** The strategy for a person who names none, of those that a pool offers. */
export function usualStrategy(offered: readonly string[]): string {
  return ['phatgoose', 'x-lora', 'arrow'].find((name) => offered.includes(name)) ?? offered[0] ?? 'base';
}

/** The strategies among these names, in the order in which lists show them. */
export function offersOf(names: readonly string[]): StrategyOffer[] {
  return all.filter(({ name }) => names.includes(name)).map(offerOf);
}

/** A model's own router, asked for k experts. */
export const nativeOffer: StrategyOffer = offerOf(nativeRouter);

function offerOf({
  name,
  title,
  hint,
  takes,
}: Pick<StrategyDescriptor, 'name' | 'title' | 'hint' | 'takes'>): StrategyOffer {
  return { name, title, hint, takes: takes ? [takes] : [] };
}

/** A strategy with the arguments that it takes. */
export function strategyOf(name: string, { k, expert }: { readonly k: number; readonly expert: string }): Strategy {
  const takes = wordsOf(name)?.takes;
  return { name, ...(takes === 'k' && { k }), ...(takes === 'expert' && { expert }) };
}

/** The strategy's usual k, or else the pool's, but no more than there are experts. */
export function usualK(name: string, pool: { readonly topK: number; readonly experts: readonly unknown[] }): number {
  return Math.min(descriptorOf(name)?.usualK ?? pool.topK, Math.max(1, pool.experts.length));
}

/** The strategy with k limited to the number of experts; the trace records the limited k. */
export function bounded(strategy: Strategy, experts: number): Strategy {
  const { k } = strategy;
  return k === undefined ? strategy : { ...strategy, k: Math.min(k, Math.max(1, experts)) };
}

/** As on the command line: `base`, `phatgoose:2`, `single:python`, `retrieval` (and the expert it picked, if known). */
export function strategyText(strategy: Strategy): string {
  return routerText(routerOf(strategy));
}

/** How every strategy may be written, for messages. */
export function strategyForms(): string {
  const argument = { k: '[:k]', expert: ':<expert>' };
  return all.map(({ name, takes }) => name + (takes ? argument[takes] : '')).join(', ');
}

/** A count from 1; undefined for anything else. */
export function readCount(text: string): number | undefined {
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined;
}

/** Parses what `strategyText` writes; undefined if the text is no strategy. @param k for a strategy that takes one but does not name it */
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

/** A strategy as the router in a trace. */
export function routerOf({ name, k, expert }: Strategy): Router {
  return {
    name,
    scoring: 'softmax',
    ...(k !== undefined && { k }),
    ...(expert !== undefined && { params: { expert } }),
  };
}

/** The strategy that a trace's router stands for, if it is one of a pool's. */
export function strategyOfRouter({ name, k, params }: Router): Strategy {
  const expert = params?.['expert'];
  return { name, ...(k !== undefined && { k }), ...(typeof expert === 'string' && { expert }) };
}
