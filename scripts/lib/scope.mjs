// How much of the tests runs: which parts, with or without slow tests, and which share.
import { parseArgs } from 'node:util';
import { Remedy } from './main.mjs';

/** The runs; each includes those before it. */
export const runs = /** @type {const} */ ({ quick: 'npm test', all: 'npm run test:all', everything: 'bash .ci/run' });

/** @typedef {keyof typeof runs} RunName */
/** @typedef {{ index: number, count: number }} Shard index from 1 */

/**
 * @typedef {object} Scope
 * @property {RunName} run
 * @property {readonly string[]} named parts that were asked for by name, which run complete; if empty, the parts of the run
 * @property {Shard} [shard]
 */

/** @param {readonly string[]} args @returns {Scope} */
export function parseScope(args) {
  const options = /** @type {const} */ ({
    all: { type: 'boolean' },
    everything: { type: 'boolean' },
    shard: { type: 'string' },
  });
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (e) {
    throw new Remedy(`${e instanceof Error ? e.message : String(e)}; there are --all, --everything and --shard i/n`);
  }
  const { values, positionals } = parsed;
  const run = values.everything ? 'everything' : values.all ? 'all' : 'quick';
  return { run, named: positionals, ...(values.shard !== undefined && { shard: parseShard(values.shard) }) };
}

/** @param {string} text @returns {Shard} */
export function parseShard(text) {
  const [index = 0, count = 0] = (/^(\d{1,3})\/(\d{1,3})$/.exec(text)?.slice(1) ?? []).map(Number);
  if (index < 1 || index > count) throw new Remedy(`--shard is ${text}; it must look like 1/3, the first of three`);
  return { index, count };
}

const order = /** @type {RunName[]} */ (Object.keys(runs));

/**
 * The parts of a run.
 * @template {{ from: RunName }} P @param {Readonly<Record<string, P>>} parts @param {Scope} scope @returns {[string, P][]}
 */
export function partsOf(parts, { run, named }) {
  const unknown = named.find((name) => !(name in parts));
  if (unknown) throw new Remedy(`no part named ${unknown}; there are ${Object.keys(parts).join(', ')}`);
  return Object.entries(parts).filter(([name, { from }]) =>
    named.length ? named.includes(name) : order.indexOf(from) <= order.indexOf(run),
  );
}

/** The items of a list that this shard runs; each is in exactly one. @template T @param {readonly T[]} list @param {Shard} [shard] */
export const shareOf = (list, shard) =>
  shard ? list.filter((_, i) => i % shard.count === shard.index - 1) : [...list];
