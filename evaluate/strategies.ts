/** Strategies by a short name: `base`, `phatgoose:2`, `single:python`. */
import type { PoolInfo } from '../src/requests/api.js';
import { GanderError } from '../src/errors/errors.js';
import { all } from '../src/strategies/all.js';
import { descriptorOf, readStrategy, type Strategy, strategyText } from '../src/strategies/index.js';

/** What all others are compared with. */
export const reference = 'phatgoose:2';

/** The rows of every table, in order: all strategies that need no expert, with each k that is measured. */
export const mainStrategies: readonly string[] = all
  .filter(({ takes }) => takes !== 'expert')
  .flatMap(({ name, measured }) => (measured ? measured.map((k) => `${name}:${k}`) : [name]));

export function keyOf(strategy: Strategy): string {
  // What is found for a text is a result.
  return descriptorOf(strategy.name)?.finds ? strategy.name : strategyText(strategy);
}

/** @throws GanderError `request-invalid` */
export function strategyOfKey(key: string): Strategy {
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
  /** Asked for, but the pool lacks what they need. */
  readonly missing: readonly string[];
}

/**
 * @param asked keys; `single` stands for every expert. Undefined: everything. The reference is always among them.
 * @throws GanderError `request-invalid` for a key or an expert that does not exist
 */
export function choose(pool: Pick<PoolInfo, 'experts' | 'strategies'>, asked?: readonly string[]): Chosen {
  const singles = pool.experts.map((e) => `single:${e.id}`);
  const keys = (asked ?? [...mainStrategies, 'single']).flatMap((key) =>
    key === 'single' ? singles : [keyOf(strategyOfKey(key))],
  );
  const wanted = [...new Set([reference, ...keys])];
  const offered = (key: string) => pool.strategies.includes(strategyOfKey(key).name);
  for (const key of wanted) {
    if (!key.startsWith('single:') || singles.includes(key)) continue;
    const names = pool.experts.map((e) => e.id).join(', ');
    throw new GanderError('request-invalid', `The pool has no expert for "${key}".`, `Its experts: ${names}.`);
  }
  const place = (key: string) => {
    const at = mainStrategies.indexOf(key);
    return at < 0 ? mainStrategies.length : at;
  };
  return {
    main: wanted.filter((key) => !key.startsWith('single:') && offered(key)).sort((a, b) => place(a) - place(b)),
    singles: singles.filter((key) => wanted.includes(key) && offered(key)),
    missing: wanted.filter((key) => !offered(key)),
  };
}

/** As a table says it. */
export function labelOf(key: string): string {
  const strategy = strategyOfKey(key);
  const name = strategy.name.replace('-', ' ');
  if (strategy.k !== undefined) return `${name}, k = ${strategy.k}`;
  return strategy.expert === undefined ? name : `${name}: ${strategy.expert}`;
}
