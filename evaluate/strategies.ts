/** Strategies by a short name: `base`, `phatgoose:2`, `single:python`. */
import type { PoolInfo } from '../src/engine/api.js';
import { GanderError } from '../src/shared/errors.js';
import { readStrategy, strategyText } from '../src/trace/label.js';
import type { Strategy } from '../src/trace/trace.js';

/** What all others are compared with. */
export const reference = 'phatgoose:2';

/** Those that every table has, in its order. PEFT's k for arrow is 3; average activation routes as phatgoose does. */
export const mainStrategies = [
  'base',
  reference,
  'phatgoose:1',
  'phatgoose:3',
  'retrieval',
  'merged',
  'average-activation:2',
  'arrow:3',
  'multitask',
] as const;

export function keyOf(strategy: Strategy): string {
  // What retrieval picked is a result.
  return strategy.name === 'retrieval' ? strategy.name : strategyText(strategy);
}

/** @throws GanderError `request-invalid` */
export function strategyOf(key: string): Strategy {
  const strategy = readStrategy(key);
  if (strategy) return strategy;
  throw new GanderError(
    'request-invalid',
    `"${key}" is not a strategy.`,
    `Use some of: ${mainStrategies.join(', ')}, single, single:<expert>.`,
  );
}

/** What to run, in order of use: main strategies first, single experts last. */
export interface Chosen {
  readonly main: readonly string[];
  readonly singles: readonly string[];
  /** Asked for, but this pool has not what they need. */
  readonly missing: readonly string[];
}

/**
 * @param asked keys; `single` stands for every expert. Undefined: everything. The reference is always among them.
 * @throws GanderError `request-invalid` for a key or an expert that does not exist
 */
export function choose(pool: Pick<PoolInfo, 'experts' | 'strategies'>, asked?: readonly string[]): Chosen {
  const all = pool.experts.map((e) => `single:${e.id}`);
  const keys = (asked ?? [...mainStrategies, 'single']).flatMap((key) =>
    key === 'single' ? all : [keyOf(strategyOf(key))],
  );
  const wanted = [...new Set([reference, ...keys])];
  const offered = (key: string) => pool.strategies.includes(strategyOf(key).name);
  for (const key of wanted) {
    if (!key.startsWith('single:') || all.includes(key)) continue;
    const names = pool.experts.map((e) => e.id).join(', ');
    throw new GanderError('request-invalid', `The pool has no expert for "${key}".`, `Its experts: ${names}.`);
  }
  const place = (key: string) => {
    const at = (mainStrategies as readonly string[]).indexOf(key);
    return at < 0 ? mainStrategies.length : at;
  };
  return {
    main: wanted.filter((key) => !key.startsWith('single:') && offered(key)).sort((a, b) => place(a) - place(b)),
    singles: all.filter((key) => wanted.includes(key) && offered(key)),
    missing: wanted.filter((key) => !offered(key)),
  };
}

/** As a table says it. */
export function labelOf(key: string): string {
  const strategy = strategyOf(key);
  const name = strategy.name.replace('-', ' ');
  if ('k' in strategy) return `${name}, k = ${strategy.k}`;
  return strategy.name === 'single' ? `single: ${strategy.expert}` : name;
}
