import type { Found, FoundModule } from '../../../graph/find.js';
import type { Product } from '../../../graph/products.js';
import type { BaseCopy } from '../../../pool/adapter.js';
import { expertLeftOut, partLeftOut, type PoolExpert } from '../../../pool/pool.js';
import { GanderError } from '../../../errors/errors.js';
import type { Warning } from '../../../requests/description.js';
import type { WholeAdapter } from '../../../strategies/strategy.js';

/** Ids for adapters of the whole pool, which follow the experts on the expert axis; no folder can have such a name. */
export const multitaskId = '/multitask';
export const mergedFactorsId = '/merged-factors';

export const wholeIds: Readonly<Record<WholeAdapter, string>> = {
  multitask: multitaskId,
  'merged-factors': mergedFactorsId,
};

/** Whether it is one of the pool's experts, which a router may choose. */
export function isMember(id: string): boolean {
  return id !== multitaskId && id !== mergedFactorsId;
}

/** What messages call it. */
export function expertText(id: string): string {
  return id === multitaskId ? 'The multitask adapter' : `Expert "${id}"`;
}

export function leftOutWarning(id: string, why: GanderError): Warning {
  return id === multitaskId ? partLeftOut(expertText(id), why) : expertLeftOut(id, why);
}

/** Which experts go where in a base. */
export interface Placing {
  /** Experts with at least one module that was placed. */
  readonly experts: readonly PoolExpert[];
  /** Where they were placed. */
  readonly modules: readonly FoundModule[];
  /** The others, by id. */
  readonly leftOut: ReadonlyMap<string, GanderError>;
  readonly warnings: readonly Warning[];
}

/**
 * @param found where the modules of all experts are in the base
 * @param weightOf a product's weight [dOut, dIn] in float32; undefined if it is quantised
 * @throws GanderError `expert-invalid`, `module-not-placed` if no expert is left
 */
export function place(
  all: readonly PoolExpert[],
  found: Found,
  weightOf: (product: Product) => Float32Array | undefined,
): Placing {
  const leftOut = new Map<string, GanderError>();
  const warnings: Warning[] = [];
  const experts = all.filter((expert) => {
    const error =
      misfit(expert, found.modules) ?? nothingPlaced(expert, found) ?? otherBase(expert, found.modules, weightOf);
    if (error) {
      leftOut.set(expert.id, error);
      warnings.push(leftOutWarning(expert.id, error));
    }
    return !error;
  });
  warnings.push(...partly(experts, found.missing), ...unseenCopies(experts, found.modules, weightOf));
  const [first] = leftOut.values();
  if (experts.length === 0 && first)
    throw new GanderError(first.code, `No expert fits the base: ${first.message}`, first.remedy);
  const modules = [...found.modules.values()].filter(({ path }) =>
    experts.some(({ adapter }) => adapter.modules.has(path)),
  );
  return { experts, modules, leftOut, warnings };
}

/** The modules of a single expert. @throws GanderError `expert-invalid`, `module-not-placed`: why it has none */
export function placeOne(expert: PoolExpert, found: Found): FoundModule[] {
  const error = misfit(expert, found.modules) ?? nothingPlaced(expert, found);
  if (error) throw error;
  return [...found.modules.values()];
}

/** The paths of all modules, those that most experts adapt first: if two exclude each other, the rarer one is left out. */
export function byUse(all: readonly PoolExpert[]): string[] {
  const uses = new Map<string, number>();
  for (const { adapter } of all) for (const path of adapter.modules.keys()) uses.set(path, (uses.get(path) ?? 0) + 1);
  return [...uses].sort(([, a], [, b]) => b - a).map(([path]) => path);
}

export function misfit({ adapter }: PoolExpert, modules: ReadonlyMap<string, FoundModule>): GanderError | undefined {
  for (const [path, { dIn, dOut }] of adapter.modules) {
    const module = modules.get(path);
    if (!module || (module.dIn === dIn && module.dOut === dOut)) continue;
    return new GanderError(
      'expert-invalid',
      `it was made for another base model: at ${path} it maps ${dIn} to ${dOut} where this one has ${module.dIn} to ${module.dOut}.`,
      'Add it to a pool of the base it was trained with.',
    );
  }
  return undefined;
}

function nothingPlaced({ adapter }: PoolExpert, { modules, missing }: Found): GanderError | undefined {
  const paths = [...adapter.modules.keys()];
  if (paths.some((path) => modules.has(path))) return undefined;
  return new GanderError(
    'module-not-placed',
    `none of its modules (${paths.length}) can be placed in the base; ${paths[0]!}: ${missing.get(paths[0]!)!}.`,
    'Check that it was trained for this base, or export the base another way (docs/pool-format.md, "The base").',
  );
}

/** One warning for all experts that lack the same modules. */
function partly(experts: readonly PoolExpert[], missing: ReadonlyMap<string, string>): Warning[] {
  const alike = new Map<string, { readonly ids: string[]; readonly lacks: readonly string[]; readonly of: number }>();
  for (const { id, adapter } of experts) {
    const lacks = [...adapter.modules.keys()].filter((path) => missing.has(path));
    if (lacks.length === 0) continue;
    const key = [adapter.modules.size, ...lacks].join('\n');
    const group = alike.get(key) ?? { ids: [], lacks, of: adapter.modules.size };
    group.ids.push(id);
    alike.set(key, group);
  }
  return [...alike.values()].map(({ ids, lacks, of }) => {
    const shown = ids.slice(0, 3).map((id) => `"${id}"`);
    const more = ids.length > shown.length ? ` and ${ids.length - shown.length} more` : '';
    const others = lacks.length > 1 ? ` (and ${lacks.length - 1} more)` : '';
    const text = `Expert ${shown.join(', ')}${more}: ${of - lacks.length} of ${of} modules were placed, so it is not what it was trained to be; ${lacks[0]!}${others} was not: ${missing.get(lacks[0]!)!}.`;
    return { code: 'modules-not-placed', ...(ids.length === 1 && { expert: ids[0]! }), module: lacks[0]!, text };
  });
}

/** An adapter that includes other weights than the base's for what it adapts was trained with those weights. */
function otherBase(
  { adapter }: PoolExpert,
  modules: ReadonlyMap<string, FoundModule>,
  weightOf: (product: Product) => Float32Array | undefined,
): GanderError | undefined {
  for (const [path, copy] of adapter.baseCopies) {
    const module = modules.get(path);
    const weight = module && wholeWeight(module, weightOf);
    if (!weight || isCopyOf(copy, weight, module)) continue;
    return new GanderError(
      'expert-invalid',
      `it brings a weight of its own for ${path}, which differs from the base's.`,
      'Train it without changing that weight or the vocabulary, or remove the folder.',
    );
  }
  return undefined;
}

function unseenCopies(
  experts: readonly PoolExpert[],
  modules: ReadonlyMap<string, FoundModule>,
  weightOf: (product: Product) => Float32Array | undefined,
): Warning[] {
  return experts.flatMap(({ id, adapter }) =>
    [...adapter.baseCopies.keys()]
      .filter((path) => !modules.has(path) || !wholeWeight(modules.get(path)!, weightOf))
      .map((path): Warning => ({
        code: 'copy-not-compared',
        expert: id,
        module: path,
        text: `Expert "${id}": its copy of the base's weight of ${path} is not used, nor compared with the base's.`,
      })),
  );
}

function wholeWeight(
  { products, from }: FoundModule,
  weightOf: (product: Product) => Float32Array | undefined,
): Float32Array | undefined {
  return products.length === 1 && from === undefined ? weightOf(products[0]!) : undefined;
}

/** Whether both are the same, except for rounding to a type with half as many bits. */
function isCopyOf({ shape, read }: BaseCopy, weight: Float32Array, { dIn, dOut }: FoundModule): boolean {
  const [rows, columns] = shape;
  const isTurned = rows === dIn && columns === dOut && dIn !== dOut;
  if (!isTurned && (rows !== dOut || columns !== dIn)) return false;
  const copy = read();
  const isNear = (a: number, b: number) => Math.abs(a - b) <= Math.max(Math.abs(a), 1e-3) / 128;
  if (!isTurned) return copy.every((x, at) => isNear(x, weight[at]!));
  return copy.every((x, at) => isNear(x, weight[(at % dOut) * dIn + Math.floor(at / dOut)]!));
}
