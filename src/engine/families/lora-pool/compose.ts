import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Base, copyBase, quicken, readBase } from '../../../graph/base.js';
import { classifierModel } from '../../../graph/classifier.js';
import { dropBatch } from '../../../graph/dropBatch.js';
import { dense } from '../../../graph/dense.js';
import { weightOf } from '../../../graph/external.js';
import { type FoundModule, findModules } from '../../../graph/find.js';
import { tokens } from '../../../graph/builder.js';
import { gathered } from '../../../graph/gathered.js';
import { DataType, opset, parseModel, valueInfo, writeModel } from '../../../graph/model.js';
import { insertHidden } from '../../../graph/hidden.js';
import { insertPredictions, likeliest } from '../../../graph/predictions.js';
import { type EightBits, eightBitsIn } from '../../../graph/rounded.js';
import { type Group, insertRouting, names } from '../../../graph/route.js';
import { poolHash } from '../../../pool/hash.js';
import { type Pool, type PoolExpert, causalModel, isAsRead } from '../../../pool/pool.js';
import type { XLora } from '../../../pool/xlora.js';
import { GanderError } from '../../../errors/errors.js';
import type { WholeAdapter } from '../../../strategies/strategy.js';
import { type Cache, type Entry, readCached } from '../../runtime/cache.js';
import { affordable, sharingInput } from './budget.js';
import { mergedFactors } from './mergedFactors.js';
import { moduleAxis } from './modules.js';
import { byUse, isMember, leftOutWarning, multitaskId, type Placing, place } from './placing.js';
import type { FormName, Module, Plan } from './plan.js';
import type { ScalingPlan } from './scaling.js';
import { type WrittenVectors, writtenNames, writtenVectors } from './routerVectors.js';
import { ExpertFiles, ExpertNumbers } from './stored.js';

/** Part of every cache key: raise it when the same pool would be composed differently. */
const composerVersion = 17;

/** Also part of the keys of gathered graphs. */
const gatheredVersion = 2;

/** Columns of A' (experts × rank) from which a graph is gathered. Measured: equally fast with 256, faster with 512. */
export const gatheredFrom = 384;

export interface Composed {
  readonly entry: Entry;
  readonly plan: Plan;
}

/** Files of a composed graph. */
export function filesOf(folder: string): {
  readonly model: string;
  readonly experts: ExpertNumbers;
  readonly classifier: string;
} {
  return {
    model: path.join(folder, 'model.onnx'),
    experts: new ExpertNumbers(folder),
    classifier: path.join(folder, 'classifier.onnx'),
  };
}

/**
 * The pool's routed graph, from the cache or composed now.
 *
 * @param hash of the pool
 * @param wholes adapters of the whole pool, which come last on the expert axis; no router chooses them
 * @throws GanderError `base-invalid`, `module-not-placed`, `expert-invalid`, `pool-unsafe-path`
 */
export function compose(
  pool: Pool,
  hash: string,
  cache: Cache,
  wholes: readonly WholeAdapter[],
  form: FormName = formOf(pool),
): Composed {
  return composed(pool, hash, cache, wholes, form, (folder) => composeInto(folder, pool, wholes, form));
}

/** The folder that `make` fills and the plan that it returns, from the cache or made now. */
export function composed(
  pool: Pool,
  hash: string,
  cache: Cache,
  wholes: readonly WholeAdapter[],
  form: FormName,
  make: (folder: string) => Plan,
): Composed {
  const { weightEpsilon = 0 } = pool.manifest;
  const parts = [
    ...[composerVersion, hash, weightEpsilon, [...wholes].sort().join()],
    ...(form === 'gathered' ? [form, gatheredVersion] : []),
  ];
  const key = createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 32);
  const entry = cache.entry(key, (temporary) => {
    writeFileSync(path.join(temporary, 'plan.json'), JSON.stringify(make(temporary)));
    // Otherwise the key would belong to other files than those that were read.
    if (!isAsRead(pool) || poolHash(pool, cache) !== hash)
      throw new GanderError('pool-invalid', 'The pool changed while it was being read.', 'Ask again.');
  });
  return { entry, plan: JSON.parse(readCached(path.join(entry.folder, 'plan.json')).toString('utf8')) as Plan };
}

export function formOf({ experts, xlora }: Pool): FormName {
  // X-LoRA's weights may be negative, and those of the gathered form may not.
  if (xlora) return 'dense';
  const rank = Math.max(...experts.map(({ adapter }) => adapter.rank));
  return experts.length * rank >= gatheredFrom ? 'gathered' : 'dense';
}

function composeInto(folder: string, pool: Pool, wholes: readonly WholeAdapter[], form: FormName): Plan {
  const file = causalModel(pool);
  const base = readBase(file);
  const { graph } = base.model;
  copyBase(folder, file, base);
  const all = candidates(pool, wholes);
  const found = findModules(graph, byUse(all));
  const placed = withinMeans(
    place(all, found, (product) => weightOf(folder, graph, product)),
    wholes,
  );
  const modules = moduleAxis(placed.modules);
  const eightBits = [eightBitsIn([graph], 'base'), ...eightBitsOfRetriever(pool)];
  const written = writeRouted(folder, base, placed, modules, {
    form,
    weightEpsilon: pool.manifest.weightEpsilon ?? 0,
    predicts: true,
    ...(pool.xlora && { hidden: pool.xlora.hiddenSize }),
  });
  if (pool.xlora) writeFileSync(filesOf(folder).classifier, classifierModel(pool.xlora.layers));
  return planOf(placed, modules, [written], eightBits, pool.xlora);
}

export function eightBitsOfRetriever({ retriever }: Pool): EightBits[] {
  return retriever ? [eightBitsIn([parseModel(readFileSync(retriever.model)).graph], 'retriever')] : [];
}

/** The experts to place in the base, with the multitask adapter if wanted; merged factors are computed of those that fit. */
export function candidates(pool: Pool, wholes: readonly WholeAdapter[]): PoolExpert[] {
  const { experts, multitask } = pool;
  return wholes.includes('multitask') && multitask ? [...experts, { ...multitask, id: multitaskId }] : [...experts];
}

/** Leaves out experts that are too large, and modules that only they adapt; adds the mean of the others if wanted. */
export function withinMeans(placed: Placing, wholes: readonly WholeAdapter[]): Placing {
  const { experts, tooLarge } = affordable(sharingInput(placed.modules), placed.experts);
  const warnings = [...tooLarge].map(([id, error]) => leftOutWarning(id, error));
  const among = (some: readonly PoolExpert[]) =>
    placed.modules.filter(({ path: name }) => some.some(({ adapter }) => adapter.modules.has(name)));
  const members = experts.filter(({ id }) => isMember(id));
  return {
    experts: wholes.includes('merged-factors') ? [...experts, mergedFactors(members, among(members))] : experts,
    modules: among(experts),
    leftOut: new Map([...placed.leftOut, ...tooLarge]),
    warnings: [...placed.warnings, ...warnings],
  };
}

interface Routing {
  readonly form: FormName;
  readonly weightEpsilon: number;
  /** Whether the graph has logits, and gets outputs for predictions. */
  readonly predicts: boolean;
  /** Width of the last hidden state, if it is to be an output. */
  readonly hidden?: number;
}

/** The experts as they were written into one graph. */
export interface Written {
  readonly groups: readonly Group[];
  /** Size of the experts' matrices. */
  readonly bytes: number;
  readonly form: FormName;
}

/**
 * Inserts the experts into a graph and writes it to the folder, with their weights.
 *
 * @param folder where the base's weights were copied to
 * @param placed the experts, and the modules of this graph
 * @param modules those of all graphs, in order
 */
export function writeRouted(
  folder: string,
  { model }: Base,
  { experts, modules: here }: Pick<Placing, 'experts' | 'modules'>,
  modules: readonly Module[],
  { form: wanted, weightEpsilon, predicts, hidden }: Routing,
): Written {
  // The gathered form needs ScatterElements with a reduction, which came with operator set 16.
  const form = opset(model) < 16 ? 'dense' : wanted;
  const files = new ExpertFiles(folder, experts, form);
  try {
    const order = orderOf(modules);
    const sorted = [...here].sort((a, b) => order.get(a.path)! - order.get(b.path)!);
    const groups = sharingInput(sorted).map((group) => files.store(group));
    const adapted = sorted.flatMap(({ products }) => products.map(({ node }) => node));
    const eightBits = quicken(folder, model, new Set(adapted));
    // Before the head may be adapted.
    if (hidden !== undefined) insertHidden(model, hidden);
    if (groups.length > 0)
      insertRouting(model, groups, experts.length, {
        form: form === 'gathered' ? gathered : dense,
        weightEpsilon,
      });
    if (predicts) insertPredictions(model, likeliest, eightBits);
    // The gathered form takes the number of tokens from this input's size.
    else if (form === 'gathered') model.graph.input.push(valueInfo(names.targets, DataType.INT64, [1, tokens, 1]));
    dropBatch(model.graph);
    writeFileSync(filesOf(folder).model, writeModel(model));
    return { groups, bytes: files.size, form };
  } finally {
    files.close();
  }
}

/** Positions on the module axis, by path. */
function orderOf(modules: readonly Module[]): ReadonlyMap<string, number> {
  return new Map(modules.map(({ path: name }, i) => [name, i]));
}

/** @param written one for each graph; their rows follow one another */
export function planOf(
  { experts, leftOut, warnings }: Placing,
  modules: readonly Module[],
  written: readonly Written[],
  eightBits: readonly EightBits[],
  xlora?: XLora,
): Plan {
  const order = orderOf(modules);
  const groups = written.flatMap((part) => part.groups);
  const rows: readonly FoundModule[] = groups.flatMap((group) => group.modules);
  const cells = (of: (expert: PoolExpert, path: string) => boolean) =>
    rows.flatMap(({ path: name }) => experts.map((expert) => of(expert, name)));
  return {
    modules,
    rows: rows.map((module) => order.get(module.path)!),
    widths: rows.map(({ dOut }) => dOut),
    experts: experts.map(({ id }) => id),
    adapts: cells(({ adapter }, name) => adapter.modules.has(name)),
    scored: {
      ...(Object.fromEntries(
        writtenNames.map((router) => [
          router,
          cells((expert, name) => writtenVectors[router].of(expert)?.has(name) ?? false),
        ]),
      ) as Record<WrittenVectors, boolean[]>),
      arrow: cells(({ id, adapter }, name) => isMember(id) && adapter.modules.has(name)),
      ...(xlora && { 'x-lora': cells(({ id }, name) => xlora.experts.includes(id) && xlora.modules.includes(name)) }),
    },
    ...(xlora && { scaling: scalingPlan(xlora, rows, experts) }),
    routers: groups.map(({ dIn, rank, down, modules: members }) => ({
      dIn,
      columns: members.length * experts.length,
      rank,
      down: down.map(({ offset }) => offset),
    })),
    leftOut: Object.fromEntries([...leftOut].map(([id, error]) => [id, error.toData()])),
    warnings,
    eightBits,
    bytes: written.reduce((sum, { bytes }) => sum + bytes, 0),
    ...(written.some(({ form }) => form === 'gathered') && { form: 'gathered' }),
    ...(written.length > 1 && {
      graphs: written.map((part) => ({
        rows: part.groups.reduce((sum, { modules }) => sum + modules.length, 0),
        groups: part.groups.length,
      })),
    }),
  };
}

function scalingPlan(
  { experts: classes, modules, layerwise, scaling }: XLora,
  rows: readonly FoundModule[],
  experts: readonly PoolExpert[],
): ScalingPlan {
  const layers = new Map(modules.map((name, layer) => [name, layerwise ? layer * classes.length : 0]));
  return {
    config: scaling,
    classes: classes.length,
    first: rows.map(({ path: name }) => layers.get(name) ?? -1),
    classOf: experts.map(({ id }) => classes.indexOf(id)),
  };
}
