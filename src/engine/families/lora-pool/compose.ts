import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { copyBase, quicken, readBase } from '../../../graph/base.js';
import { dense } from '../../../graph/dense.js';
import { weightOf } from '../../../graph/external.js';
import type { Site } from '../../../graph/find.js';
import { gathered } from '../../../graph/gathered.js';
import { opset, writeModel } from '../../../graph/model.js';
import { insertPredictions, likeliest } from '../../../graph/predictions.js';
import { type Group, insertRouting } from '../../../graph/route.js';
import { poolHash } from '../../../pool/hash.js';
import { type Pool, type PoolExpert, poolSignature } from '../../../pool/pool.js';
import { GanderError } from '../../../shared/errors.js';
import type { RouterVectors } from '../../../strategies/strategy.js';
import { type Cache, type Entry, readCached } from '../../runtime/cache.js';
import { affordable, sharingInput } from './budget.js';
import { moduleAxis } from './modules.js';
import { leftOutWarning, multitaskId, type Placing, place } from './placing.js';
import type { Plan } from './plan.js';
import { ExpertFiles, routerFileName } from './stored.js';

/** Part of every cache key: raise it when the same pool would compose to something else. */
const composerVersion = 12;

/** Part of the keys of gathered graphs beside it. */
const gatheredVersion = 1;

/** Columns of A' (experts × rank) from which a graph is gathered. Measured: with 256 the forms are even, with 512 it is quicker. */
export const gatheredFrom = 384;

/** How the experts are computed: all at once, or the chosen alone (src/graph). */
export type FormName = 'dense' | 'gathered';

export interface Composed {
  readonly entry: Entry;
  readonly model: string;
  readonly plan: Plan;
  /** Router vectors of all groups, one after another, float32. */
  readonly routerFile: (router: RouterVectors) => string;
}

/**
 * The pool's routed graph, from the cache or composed now.
 *
 * @param hash of the pool
 * @param withMultitask puts the multitask adapter on the expert axis, last; it is never chosen by a router.
 * @throws GanderError `base-invalid`, `module-not-placed`, `expert-invalid`, `pool-unsafe-path`
 */
export function compose(
  pool: Pool,
  hash: string,
  cache: Cache,
  withMultitask: boolean,
  form: FormName = formOf(pool),
): Composed {
  const parts = [composerVersion, hash, withMultitask, ...(form === 'gathered' ? [form, gatheredVersion] : [])];
  const key = createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 32);
  const entry = cache.entry(key, (temporary) => {
    composeInto(temporary, pool, withMultitask, form);
    // The key would be that of other files than those that were read.
    if (poolSignature(pool.folder) !== pool.signature || poolHash(pool, cache) !== hash)
      throw new GanderError('pool-invalid', 'The pool changed while it was being read.', 'Ask again.');
  });
  const file = (name: string) => path.join(entry.folder, name);
  return {
    entry,
    model: file('model.onnx'),
    plan: JSON.parse(readCached(file('plan.json')).toString('utf8')) as Plan,
    routerFile: (router) => file(routerFileName(router)),
  };
}

function formOf({ experts }: Pool): FormName {
  const rank = Math.max(...experts.map(({ adapter }) => adapter.rank));
  return experts.length * rank >= gatheredFrom ? 'gathered' : 'dense';
}

function composeInto(folder: string, pool: Pool, withMultitask: boolean, wanted: FormName): void {
  const base = readBase(pool.base.model);
  const { model } = base;
  // What sums up pairs came with operator set 16.
  const form = opset(model) < 16 ? 'dense' : wanted;
  const all =
    withMultitask && pool.multitask ? [...pool.experts, { ...pool.multitask, id: multitaskId }] : pool.experts;
  copyBase(folder, pool.base.model, base);
  const placed = withinMeans(place(model.graph, all, (product) => weightOf(folder, model.graph, product)));
  const { experts } = placed;
  const files = new ExpertFiles(folder, experts, form);
  try {
    const order = orderOf(placed.sites);
    const groups = sharingInput(inOrder(placed.sites, order)).map((sites) => files.store(sites));
    const adapted = groups.flatMap(({ sites }) => sites.flatMap(({ products }) => products.map(({ node }) => node)));
    const eightBits = quicken(folder, model, new Set(adapted));
    insertRouting(model, groups, experts.length, form === 'gathered' ? gathered : dense);
    insertPredictions(model, likeliest, eightBits);
    writeFileSync(path.join(folder, 'model.onnx'), writeModel(model));
    const plan = { ...planOf(placed, groups), bytes: files.size, ...(form === 'gathered' && { form }) };
    writeFileSync(path.join(folder, 'plan.json'), JSON.stringify(plan satisfies Plan));
  } finally {
    files.close();
  }
}

/** Without the experts that take more than they may, and without the sites of those alone. */
function withinMeans(placed: Placing): Placing {
  const { experts, tooLarge } = affordable(sharingInput(placed.sites), placed.experts);
  const warnings = [...tooLarge].map(([id, error]) => leftOutWarning(id, error));
  return {
    experts,
    sites: placed.sites.filter(({ path: name }) => experts.some(({ adapter }) => adapter.modules.has(name))),
    leftOut: new Map([...placed.leftOut, ...tooLarge]),
    warnings: [...placed.warnings, ...warnings],
  };
}

/** Places on the module axis, by path. */
function orderOf(sites: readonly Site[]): ReadonlyMap<string, number> {
  return new Map(moduleAxis(sites).map(({ path: name }, i) => [name, i]));
}

function inOrder(sites: readonly Site[], order: ReadonlyMap<string, number>): Site[] {
  return [...sites].sort((a, b) => order.get(a.path)! - order.get(b.path)!);
}

function planOf(
  { experts, sites, leftOut, warnings }: Placing,
  groups: readonly Group[],
): Omit<Plan, 'bytes' | 'form'> {
  const order = orderOf(sites);
  const rows = groups.flatMap((group) => group.sites);
  const cells = (of: (expert: PoolExpert, path: string) => boolean) =>
    rows.flatMap(({ path: name }) => experts.map((expert) => of(expert, name)));
  return {
    modules: moduleAxis(sites),
    rows: rows.map((site) => order.get(site.path)!),
    widths: rows.map(({ dOut }) => dOut),
    experts: experts.map(({ id }) => id),
    adapts: cells(({ adapter }, name) => adapter.modules.has(name)),
    scored: {
      phatgoose: cells(({ gates }, name) => gates.has(name)),
      'average-activation': cells(({ activations }, name) => activations?.has(name) ?? false),
      arrow: cells(({ id, adapter }, name) => id !== multitaskId && adapter.modules.has(name)),
    },
    routers: groups.map(({ dIn, sites: members }) => ({ dIn, columns: members.length * experts.length })),
    leftOut: Object.fromEntries([...leftOut].map(([id, error]) => [id, error.toData()])),
    warnings,
  };
}
