import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  linkSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  realpathSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { normalisedGate, orthonormalise, topRightSingularVector } from '../graph/algebra.js';
import { type Site, findModules } from '../graph/find.js';
import {
  DataType,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  externalOf,
  externalTensor,
  holdsWhatItDeclares,
  opset,
  parseModel,
  setExternal,
  tensorsOf,
  tensorsOfNodes,
  writeModel,
} from '../graph/model.js';
import { removeGuards } from '../graph/guards.js';
import { type Halves, halve, halvedNodes, hasEightBits } from '../graph/halves.js';
import { insertPredictions } from '../graph/predictions.js';
import { dense } from '../graph/dense.js';
import { gathered } from '../graph/gathered.js';
import { type Group, insertRouting } from '../graph/route.js';
import { fileInside } from '../pool/paths.js';
import type { Pool, PoolExpert } from '../pool/pool.js';
import { GanderError } from '../shared/errors.js';
import type { RouterVectors } from '../strategies/strategy.js';
import type { Site as TraceSite } from '../trace/trace.js';
import type { Cache } from './cache.js';

/** Part of every cache key: raise it when the same pool would compose to something else. */
const composerVersion = 9;

/** Part of the keys of gathered graphs beside it. */
const gatheredVersion = 1;

/** Columns of A' (experts × rank) from which a graph is gathered. Measured: with 256 the forms are even, with 512 it is quicker. */
export const gatheredFrom = 384;

/** How the experts are computed: all at once, or the chosen alone (src/graph). */
export type FormName = 'dense' | 'gathered';

/** Stands on the expert axis for the multitask adapter; no folder's name can be this. */
export const multitaskId = '/multitask';

/** Predictions kept for each token. */
export const predictions = 8;

/** The kinds of a Llama block, in the order in which the model computes them. */
const kinds: readonly string[] = ['q', 'k', 'v', 'o', 'gate', 'up', 'down'];

/** One adapted linear layer. */
export type Module = Pick<TraceSite, 'path' | 'layer' | 'kind'>;

/** What the composed graph is, beside the graph itself. */
export interface Plan {
  /** The module axis of a trace. */
  readonly modules: readonly Module[];
  /** For each row of the graph's module axis, the index in `modules`. */
  readonly rows: readonly number[];
  /** Width of each row's module's output. */
  readonly widths: readonly number[];
  /** Ids on the graph's expert axis; in a graph with the multitask adapter, `multitaskId` is the last. */
  readonly experts: readonly string[];
  /** [rows · experts] whether the expert has an adapter at the module. */
  readonly adapts: readonly boolean[];
  /** [rows · experts] whether the expert has a router vector at the module. */
  readonly scored: Readonly<Record<Router, readonly boolean[]>>;
  /** Each group's router matrix [dIn, columns], in order. */
  readonly routers: readonly { readonly dIn: number; readonly columns: number }[];
  readonly warnings: readonly string[];
  readonly bytes: number;
  /** The graph's form; dense if not told. */
  readonly form?: 'gathered';
}

/** What the router vectors are: gates, mean inputs, or singular vectors (routing.md, "The other strategies"). */
export type Router = RouterVectors;

export interface Composed {
  readonly model: string;
  readonly plan: Plan;
  /** Router vectors of all groups, one after another, float32. */
  readonly routerFile: (router: Router) => string;
}

/** Hashes of a pool's content; the cache's key and what a trace names its pool by. */
export function poolHash(pool: Pool, cache: Cache): string {
  const hash = createHash('sha256');
  const add = (file: string) => {
    const name = path.relative(pool.folder, file);
    hash.update(`${name}\0${isFileInside(pool.folder, name) ? cache.hash(file) : ''}\0`);
  };
  // Beside the model lies its external data, under whatever name.
  const beside = path.dirname(pool.base.model);
  for (const name of readdirSync(beside).sort()) add(path.join(beside, name));
  add(pool.base.tokenizer);
  for (const expert of [...pool.experts, ...(pool.multitask ? [pool.multitask] : [])]) {
    for (const name of [
      'adapter_config.json',
      'adapter_model.safetensors',
      'gate.safetensors',
      'activation.safetensors',
      'examples.safetensors',
    ]) {
      add(path.join(expert.folder, name));
    }
  }
  cache.save();
  return hash.digest('hex');
}

/** Nothing but ordinary files of the pool is read, not even to be hashed: a link may lead to a device without an end. */
function isFileInside(folder: string, name: string): boolean {
  try {
    fileInside(folder, name);
    return true;
  } catch {
    return false;
  }
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
  const folder = cache.entry(key, (temporary) => composeInto(temporary, pool, withMultitask, form));
  return {
    model: path.join(folder, 'model.onnx'),
    plan: JSON.parse(readFileSync(path.join(folder, 'plan.json'), 'utf8')) as Plan,
    routerFile: (router) => path.join(folder, `${router}.bin`),
  };
}

function formOf({ experts }: Pool): FormName {
  const rank = Math.max(...experts.map(({ adapter }) => adapter.rank));
  return experts.length * rank >= gatheredFrom ? 'gathered' : 'dense';
}

/**
 * The base alone in a folder, with the same head as the routed graph: what the routing is measured against.
 *
 * @returns the model files: one gives logits, the other the predictions that the routed graph gives
 */
export function composeBase(folder: string, pool: Pool): { readonly logits: string; readonly predictions: string } {
  const model = readBase(pool);
  linkBase(folder, pool, model);
  removeGuards(model.graph);
  const eightBits = halveUnadapted(folder, model.graph, new Set());
  const files = { logits: path.join(folder, 'logits.onnx'), predictions: path.join(folder, 'predictions.onnx') };
  writeFileSync(files.logits, writeModel(model));
  insertPredictions(model, predictions, eightBits);
  writeFileSync(files.predictions, writeModel(model));
  return files;
}

function composeInto(folder: string, pool: Pool, withMultitask: boolean, wanted: FormName): void {
  const model = readBase(pool);
  // What sums up pairs came with operator set 16.
  const form = opset(model) < 16 ? 'dense' : wanted;
  const all =
    withMultitask && pool.multitask ? [...pool.experts, { ...pool.multitask, id: multitaskId }] : [...pool.experts];
  const { sites, missing } = findModules(
    model.graph,
    new Set(all.flatMap(({ adapter }) => [...adapter.modules.keys()])),
  );
  const warnings: string[] = [];
  const experts = all.filter((expert) => {
    const misfit = [...expert.adapter.modules].find(
      ([name, { dIn, dOut }]) => sites.has(name) && (sites.get(name)!.dIn !== dIn || sites.get(name)!.dOut !== dOut),
    );
    if (misfit) {
      const site = sites.get(misfit[0])!;
      warnings.push(
        `Expert "${expert.id}" is left out: at ${misfit[0]} it maps ${misfit[1].dIn} to ${misfit[1].dOut}, the base ${site.dIn} to ${site.dOut}.`,
      );
    }
    return !misfit;
  });
  for (const [name, lookedFor] of missing) {
    const whose = experts.filter(({ adapter }) => adapter.modules.has(name)).map(({ id }) => id);
    if (whose.length > 0)
      warnings.push(
        `Module ${name} (of ${whose.slice(0, 3).join(', ')}${whose.length > 3 ? ` and ${whose.length - 3} more` : ''}) was not found in the base: ${lookedFor}.`,
      );
  }
  if (experts.length === 0)
    throw new GanderError(
      'expert-invalid',
      `No expert fits the base. ${warnings[0] ?? ''}`,
      'Check that the experts were trained for this base model.',
    );
  const used = [...sites.values()].filter(({ path: name }) => experts.some(({ adapter }) => adapter.modules.has(name)));
  if (used.length === 0)
    throw new GanderError(
      'module-not-placed',
      warnings[0] ?? 'No adapted module was found in the base.',
      'Export the base with parameter names kept.',
    );

  const file = (name: string) => new DataFile(path.join(folder, name), name);
  const data = file('experts.bin');
  const routers = {
    phatgoose: file('phatgoose.bin'),
    'average-activation': file('average-activation.bin'),
    arrow: file('arrow.bin'),
  };
  try {
    const { modules, order } = moduleAxis(used);
    const groups = groupsOf(used, order).map((members) => storeGroup(members, experts, data, routers, form));
    const placed = groups.flatMap((group) => group.sites);
    const cells = placed.flatMap((site) => experts.map((expert) => ({ site, expert })));
    linkBase(folder, pool, model);
    removeGuards(model.graph);
    const eightBits = halveUnadapted(folder, model.graph, new Set(placed.map(({ node }) => node)));
    insertRouting(model, groups, experts.length, form === 'gathered' ? gathered : dense);
    insertPredictions(model, predictions, eightBits);
    const written = writeModel(model);
    writeFileSync(path.join(folder, 'model.onnx'), written);
    const adapts = cells.map(({ site, expert }) => expert.adapter.modules.has(site.path));
    const plan: Plan = {
      modules,
      rows: placed.map((site) => order.get(site.path)!),
      widths: placed.map(({ dOut }) => dOut),
      experts: experts.map(({ id }) => id),
      adapts,
      scored: {
        phatgoose: cells.map(({ site, expert }) => expert.gates.has(site.path)),
        'average-activation': cells.map(({ site, expert }) => expert.activations?.has(site.path) ?? false),
        arrow: cells.map(({ site, expert }) => expert.id !== multitaskId && expert.adapter.modules.has(site.path)),
      },
      routers: groups.map(({ dIn, sites: members }) => ({ dIn, columns: members.length * experts.length })),
      warnings,
      bytes: data.size,
      ...(form === 'gathered' && { form }),
    };
    writeFileSync(path.join(folder, 'plan.json'), JSON.stringify(plan));
  } finally {
    for (const open of [data, ...Object.values(routers)]) open.close();
  }
}

function readBase(pool: Pool): ModelProto & { graph: GraphProto } {
  if (statSync(pool.base.model).size >= 2 ** 31)
    throw invalidBase('The base model file is larger than ONNX allows (2 GB)', 'Export it with external data.');
  const model = parseModel(readFileSync(pool.base.model));
  if (opset(model) < 13)
    throw invalidBase(`The base model uses operator set ${opset(model)}`, 'Export it with operator set 13 or newer.');
  if (!model.graph.output.some(({ name }) => name === 'logits'))
    throw invalidBase(
      'The base model gives no "logits"',
      'Export it as a causal language model with past keys and values.',
    );
  return model;
}

function invalidBase(message: string, remedy: string): GanderError {
  return new GanderError('base-invalid', `${message}.`, remedy);
}

const layerOf = (modulePath: string): number => Number(/\.(\d+)\./.exec(modulePath)?.[1] ?? -1);
const kindOf = (modulePath: string): string => {
  const last = modulePath.split('.').at(-1)!;
  const kind = last.replace(/_proj$/, '');
  return kinds.includes(kind) ? kind : last;
};

/** By layer, then by kind in the order of a Llama block, others after those by name. */
function moduleAxis(sites: readonly Site[]): { modules: Module[]; order: Map<string, number> } {
  const rank = (kind: string) => (kinds.indexOf(kind) + kinds.length + 1) % (kinds.length + 1);
  const modules = sites
    .map(({ path: name }) => ({ path: name, layer: layerOf(name), kind: kindOf(name) }))
    .sort((a, b) => a.layer - b.layer || rank(a.kind) - rank(b.kind) || (a.path < b.path ? -1 : 1));
  return { modules, order: new Map(modules.map(({ path: name }, i) => [name, i])) };
}

/** Modules that share an input, in the order of the module axis. */
function groupsOf(sites: readonly Site[], order: ReadonlyMap<string, number>): Site[][] {
  const groups = new Map<string, Site[]>();
  for (const site of [...sites].sort((a, b) => order.get(a.path)! - order.get(b.path)!)) {
    const group = groups.get(site.input);
    if (group) group.push(site);
    else groups.set(site.input, [site]);
  }
  return [...groups.values()];
}

function storeGroup(
  sites: Site[],
  experts: readonly PoolExpert[],
  data: DataFile,
  routers: Record<Router, DataFile>,
  form: FormName,
): Group {
  const n = experts.length;
  const columns = sites.length * n;
  const dIn = sites[0]!.dIn;
  const rank = Math.max(
    ...sites.flatMap(({ path: name }) => experts.map(({ adapter }) => adapter.modules.get(name)?.rank ?? 1)),
  );
  const gates = new Float32Array(dIn * columns);
  const singular = new Float32Array(dIn * columns);
  const means = new Float32Array(dIn * columns);
  const down = new Float32Array(dIn * columns * rank);
  const downAt =
    form === 'gathered'
      ? (d: number, at: number, r: number) => (at * dIn + d) * rank + r
      : (d: number, at: number, r: number) => (d * columns + at) * rank + r;
  const column = (into: Float32Array, at: number, of: Float32Array) =>
    of.forEach((x, d) => (into[d * columns + at] = x));
  const ups = sites.map((site, j) => {
    const up = new Float32Array(n * rank * site.dOut);
    experts.forEach((expert, e) => {
      const at = j * n + e;
      const gate = expert.gates.get(site.path);
      if (gate) column(gates, at, normalisedGate(gate.read()));
      const mean = expert.activations?.get(site.path);
      if (mean) column(means, at, normalisedGate(mean.read()));
      const adapted = expert.adapter.modules.get(site.path);
      if (!adapted) return;
      const { a, b } = named(expert, () =>
        orthonormalise(adapted.a(), adapted.b(), adapted.scale, adapted.rank, dIn, site.dOut),
      );
      column(singular, at, topRightSingularVector(a, adapted.rank, dIn));
      for (let r = 0; r < adapted.rank; r++) {
        for (let d = 0; d < dIn; d++) down[downAt(d, at, r)] = a[r * dIn + d]!;
        for (let o = 0; o < site.dOut; o++) up[(e * rank + r) * site.dOut + o] = b[o * adapted.rank + r]!;
      }
    });
    return up;
  });
  routers.phatgoose.append(gates, 1);
  routers['average-activation'].append(means, 1);
  routers.arrow.append(singular, 1);
  const size = n * dIn * rank;
  const downs = form === 'gathered' ? sites.map((_, j) => down.subarray(j * size, (j + 1) * size)) : [down];
  return { sites, dIn, rank, down: downs.map((part) => data.append(part)), up: ups.map((up) => data.append(up)) };
}

function named<T>(expert: PoolExpert, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const { code, message, remedy } = GanderError.from(error);
    throw new GanderError(code, `Expert "${expert.id}": ${message}`, remedy, { cause: error });
  }
}

/**
 * onnxruntime looks for external data beside the model and refuses to leave that folder. So the base's data files are
 * linked into the cache (copied where links are not possible), never rewritten; what is large inside the model file
 * itself is moved out, so that it can be mapped instead of parsed.
 */
function linkBase(folder: string, pool: Pool, model: ModelProto & { graph: GraphProto }): void {
  const baseFolder = path.dirname(pool.base.model);
  const sizes = new Map<string, number>();
  const links = new Map<string, string>();
  for (const tensor of [...tensorsOf(model.graph), ...model.functions.flatMap((f) => [...tensorsOfNodes(f.node)])]) {
    const external = externalOf(tensor);
    const misfit = () =>
      invalidBase(
        `The tensor "${tensor.name.slice(0, 80)}" is not where or not as large as it says`,
        'Fetch the pool again.',
      );
    if (!external) {
      if (!holdsWhatItDeclares(tensor)) throw misfit();
      continue;
    }
    const { location, offset, length } = external;
    if (!sizes.has(location)) {
      // Inside the model's own folder, which is inside the pool.
      const file = fileInside(baseFolder, location);
      links.set(location, `base-${links.size}.bin`);
      linkOrCopy(realpathSync(file), path.join(folder, links.get(location)!));
      sizes.set(location, statSync(file).size);
    }
    const size = sizes.get(location)!;
    const wanted = length ?? size - offset;
    const inside = [offset, wanted].every((n) => Number.isSafeInteger(n) && n >= 0) && offset + wanted <= size;
    if (!inside || !holdsWhatItDeclares(tensor, wanted)) throw misfit();
    setExternal(tensor, links.get(location)!, offset, wanted);
  }
  const large = model.graph.initializer.filter((tensor) => tensor.rawData.length >= 65_536);
  if (large.length === 0) return;
  const data = new DataFile(path.join(folder, 'base.bin'), 'base.bin');
  try {
    for (const tensor of large) moveOut(tensor, data);
  } finally {
    data.close();
  }
}

function moveOut(tensor: TensorProto, data: DataFile): void {
  const { rawData } = tensor;
  const { location, offset } = data.append(rawData);
  setExternal(tensor, location, offset, rawData.length);
}

/**
 * 8-bit products that no expert adapts, the head above all, as two of 4 bits (halves.ts).
 *
 * @returns what they were, by what they give
 */
function halveUnadapted(
  folder: string,
  graph: GraphProto,
  adapted: ReadonlySet<NodeProto>,
): ReadonlyMap<string, NodeProto> {
  const halved = new Map<string, NodeProto>();
  const tensors = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const eights = graph.node.filter((n) => hasEightBits(n) && !adapted.has(n));
  if (eights.length === 0) return halved;
  const data = new DataFile(path.join(folder, 'halves.bin'), 'halves.bin');
  try {
    for (const n of eights) {
      const [weights, scales, zeroPoints] = n.input.slice(1, 4).map((name) => tensors.get(name));
      if (weights?.dims.length !== 3 || scales?.dataType !== DataType.FLOAT) continue;
      const [rows, blocks, block] = weights.dims.map(Number) as [number, number, number];
      const [bytes, factors] = [tensorBytes(folder, weights), tensorBytes(folder, scales)];
      const zeros = zeroPoints && tensorBytes(folder, zeroPoints);
      // Whatever is written in another way stays as it is; onnxruntime knows it.
      const isPlain =
        block % 2 === 0 &&
        bytes.length === rows * blocks * block &&
        factors.length === 4 * rows * blocks &&
        (n.input[3] ? zeros?.length === rows * blocks : true);
      if (!isPlain) continue;
      const halves = halve(bytes, zeros, new Float32Array(factors.buffer), rows);
      graph.node.splice(graph.node.indexOf(n), 1, ...halvedNodes(n, storeHalves(graph, n, weights.dims, halves, data)));
      halved.set(n.output[0]!, n);
    }
  } finally {
    data.close();
  }
  return halved;
}

/** @returns the names of weights, scales and zero points, high and low */
function storeHalves(
  graph: GraphProto,
  n: NodeProto,
  [rows, blocks, block]: readonly bigint[],
  { weights, scales, zeroPoints }: Halves,
  data: DataFile,
): [string[], string[]] {
  const store = (name: string, values: Float32Array | Uint8Array, dims: bigint[]): string => {
    const { location, offset } = data.append(values);
    const dataType = values instanceof Float32Array ? DataType.FLOAT : DataType.UINT8;
    graph.initializer.push(externalTensor(name, dataType, dims, location, offset, values.byteLength));
    return name;
  };
  const half = (i: 0 | 1) => {
    const own = `gander.half.${i}.${n.input[1]!}`;
    return [
      store(own, weights[i], [rows!, blocks!, block! / 2n]),
      store(`${own}.scales`, scales[i], [rows! * blocks!]),
      store(`${own}.zero_points`, zeroPoints[i], [rows! * ((blocks! + 1n) / 2n)]),
    ];
  };
  return [half(0), half(1)];
}

/** A tensor's bytes, aligned, from the folder or from the model itself. */
function tensorBytes(folder: string, tensor: TensorProto): Uint8Array {
  const external = externalOf(tensor);
  if (!external) return tensor.rawData.slice();
  const bytes = new Uint8Array(external.length!);
  const fd = openSync(path.join(folder, external.location), 'r');
  try {
    if (readSync(fd, bytes, 0, bytes.length, external.offset) !== bytes.length)
      throw invalidBase(`The tensor "${tensor.name.slice(0, 80)}" is cut off`, 'Fetch the pool again.');
  } finally {
    closeSync(fd);
  }
  return bytes;
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to, constants.COPYFILE_FICLONE);
  }
}

/** A file that grows by tensors, each on a page of its own, as mapping needs. */
class DataFile {
  size = 0;
  readonly #fd: number;

  constructor(
    file: string,
    readonly location: string,
  ) {
    this.#fd = openSync(file, 'w');
  }

  append(values: Float32Array | Uint8Array, alignment = 4096): { location: string; offset: number } {
    const offset = Math.ceil(this.size / alignment) * alignment;
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    for (let done = 0; done < bytes.length;)
      done += writeSync(this.#fd, bytes, done, bytes.length - done, offset + done);
    this.size = offset + bytes.length;
    return { location: this.location, offset };
  }

  close(): void {
    closeSync(this.#fd);
  }
}
