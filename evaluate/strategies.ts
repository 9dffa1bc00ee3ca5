/** Strategies by a short name: `base`, `phatgoose:2`, `single:python`. */
import type { PoolInfo } from '../src/requests/api.js';
import { GanderError } from '../src/errors/errors.js';
import { all } from '../src/strategies/all.js';
import { descriptorOf, readStrategy, type Strategy, strategyText } from '../src/strategies/index.js';
import { xLora } from '../src/strategies/xLora.js';
import { presentStrategy } from '../src/trace/file/renamed.js';

/** The strategy that all others are compared with. */
export const reference = 'phatgoose:2';

/** The rows of every table, in order: all strategies without an expert argument, with each measured k. */
export const mainStrategies: readonly string[] = all
  .filter(({ takes }) => takes !== 'expert')
  .flatMap(({ name, measured }) => (measured ? measured.map((k) => `${name}:${k}`) : [name]));

export function keyOf(strategy: Strategy): string {
  // An expert that the engine finds is a result, not part of the key.
  return descriptorOf(strategy.name)?.finds ? strategy.name : strategyText(strategy);
}

/** The present key of a strategy that a file names. */
export function presentKey(key: string): string {
  const [name, ...argument] = key.split(':');
  return [presentStrategy(name!), ...argument].join(':');
}

/** @throws GanderError `request-invalid` */
export function strategyOfKey(key: string): Strategy {
  const strategy = readStrategy(key);
  if (strategy) return strategy;
  throw new GanderError(
    'request-invalid',
    `"${key}" is not a strategy.`,
    `Use any of: ${mainStrategies.join(', ')}, single, single:<expert>.`,
  );
}

/** The strategies to run: main ones first, single experts last. */
export interface Chosen {
  readonly main: readonly string[];
  readonly singles: readonly string[];
  /** Requested strategies that the pool lacks the files for. */
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

/** A strategy's name in tables. */
export function labelOf(key: string): string {
  const strategy = strategyOfKey(key);
  // A hyphen is between words, but for the name of a method.
  const name = strategy.name === xLora.name ? xLora.title : strategy.name.replace('-', ' ');
  if (strategy.k !== undefined) return `${name}, k = ${strategy.k}`;
  return strategy.expert === undefined ? name : `${name}: ${strategy.expert}`;
}
