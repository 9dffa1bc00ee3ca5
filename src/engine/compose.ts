import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { normalisedGate, orthonormalise, poolRank, topRightSingularVector } from '../graph/algebra.js';
import type { Site } from '../graph/find.js';
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
  setInternal,
  tensorsOf,
  tensorsOfNodes,
  writeModel,
} from '../graph/model.js';
import { removeGuards } from '../graph/guards.js';
import { settlePast } from '../graph/past.js';
import type { Product } from '../graph/products.js';
import { declareSingle, halfOf } from '../graph/single.js';
import { unfuse } from '../graph/unfuse.js';
import { type Halves, halve, halvedNodes, hasEightBits } from '../graph/halves.js';
import { insertPredictions } from '../graph/predictions.js';
import { dense } from '../graph/dense.js';
import { gathered } from '../graph/gathered.js';
import { type Group, insertRouting } from '../graph/route.js';
import { fileInside } from '../pool/paths.js';
import { leftOutText, type Pool, type PoolExpert, poolSignature } from '../pool/pool.js';
import { type ErrorData, GanderError } from '../shared/errors.js';
import { toFloat32 } from '../shared/safetensors.js';
import { type Module, kinds } from '../trace/trace.js';
import { affordable, sharingInput } from './budget.js';
import { type Cache, type Entry, readCached } from './cache.js';
import { expertText, multitaskId, place } from './placing.js';

/** Part of every cache key: raise it when the same pool would compose to something else. */
const composerVersion = 11;

/** Part of the keys of gathered graphs beside it. */
const gatheredVersion = 1;

/** Columns of A' (experts × rank) from which a graph is gathered. Measured: with 256 the forms are even, with 512 it is quicker. */
export const gatheredFrom = 384;

/** How the experts are computed: all at once, or the chosen alone (src/graph). */
export type FormName = 'dense' | 'gathered';

/** Predictions kept for each token. */
export const predictions = 8;

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
  /** Experts of the pool that the graph is without, and why, by id. */
  readonly leftOut: Readonly<Record<string, ErrorData>>;
  readonly warnings: readonly string[];
  readonly bytes: number;
  /** The graph's form; dense if not told. */
  readonly form?: 'gathered';
}

/** What the router vectors are: gates, mean inputs, or singular vectors (routing.md, "The other strategies"). */
export type Router = 'phatgoose' | 'average-activation' | 'arrow';

export interface Composed {
  readonly entry: Entry;
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
    routerFile: (router) => file(`${router}.bin`),
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
  const { model, halves } = readBase(pool);
  copyBase(folder, pool, model);
  convertHalves(folder, model, halves);
  removeGuards(model.graph);
  const eightBits = halveUnadapted(folder, model.graph, new Set());
  const files = { logits: path.join(folder, 'logits.onnx'), predictions: path.join(folder, 'predictions.onnx') };
  writeFileSync(files.logits, writeModel(model));
  insertPredictions(model, predictions, eightBits);
  writeFileSync(files.predictions, writeModel(model));
  return files;
}

function composeInto(folder: string, pool: Pool, withMultitask: boolean, wanted: FormName): void {
  const { model, halves } = readBase(pool);
  // What sums up pairs came with operator set 16.
  const form = opset(model) < 16 ? 'dense' : wanted;
  const all =
    withMultitask && pool.multitask ? [...pool.experts, { ...pool.multitask, id: multitaskId }] : [...pool.experts];
  copyBase(folder, pool, model);
  convertHalves(folder, model, halves);
  const placed = place(model.graph, all, (product) => weightOf(folder, model, product));
  const { experts, tooLarge } = affordable(sharingInput(placed.sites), placed.experts);
  const leftOut = new Map([...placed.leftOut, ...tooLarge]);
  const warnings = [
    ...placed.warnings,
    ...[...tooLarge].map(([id, error]) => `${leftOutText(expertText(id), error)} ${error.remedy}`),
  ];
  const sites = placed.sites.filter(({ path: name }) => experts.some(({ adapter }) => adapter.modules.has(name)));
  const file = (name: string) => new DataFile(path.join(folder, name), name);
  const data = file('experts.bin');
  const routers = {
    phatgoose: file('phatgoose.bin'),
    'average-activation': file('average-activation.bin'),
    arrow: file('arrow.bin'),
  };
  try {
    const { modules, order } = moduleAxis(sites);
    const groups = groupsOf(sites, order).map((members) => storeGroup(members, experts, data, routers, form));
    const adapted = groups.flatMap((group) => group.sites);
    const cells = adapted.flatMap((site) => experts.map((expert) => ({ site, expert })));
    removeGuards(model.graph);
    const eightBits = halveUnadapted(
      folder,
      model.graph,
      new Set(adapted.flatMap(({ products }) => products.map((product) => product.node))),
    );
    insertRouting(model, groups, experts.length, form === 'gathered' ? gathered : dense);
    insertPredictions(model, predictions, eightBits);
    const written = writeModel(model);
    writeFileSync(path.join(folder, 'model.onnx'), written);
    const adapts = cells.map(({ site, expert }) => expert.adapter.modules.has(site.path));
    const plan: Plan = {
      modules,
      rows: adapted.map((site) => order.get(site.path)!),
      widths: adapted.map(({ dOut }) => dOut),
      experts: experts.map(({ id }) => id),
      adapts,
      scored: {
        phatgoose: cells.map(({ site, expert }) => expert.gates.has(site.path)),
        'average-activation': cells.map(({ site, expert }) => expert.activations?.has(site.path) ?? false),
        arrow: cells.map(({ site, expert }) => expert.id !== multitaskId && expert.adapter.modules.has(site.path)),
      },
      routers: groups.map(({ dIn, sites: members }) => ({ dIn, columns: members.length * experts.length })),
      leftOut: Object.fromEntries([...leftOut].map(([id, error]) => [id, error.toData()])),
      warnings,
      bytes: data.size,
      ...(form === 'gathered' && { form }),
    };
    writeFileSync(path.join(folder, 'plan.json'), JSON.stringify(plan));
  } finally {
    for (const open of [data, ...Object.values(routers)]) open.close();
  }
}

/** The base, and those of its tensors that are still in half precision. */
export function readBase(pool: Pool): { model: ModelProto & { graph: GraphProto }; halves: TensorProto[] } {
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
  unfuse(model.graph);
  settlePast(model.graph);
  return { model, halves: declareSingle(model) };
}

function invalidBase(message: string, remedy: string): GanderError {
  return new GanderError('base-invalid', `${message}.`, remedy);
}

const layerOf = (modulePath: string): number => Number(/\.(\d+)\./.exec(modulePath)?.[1] ?? -1);
const kindOf = (modulePath: string): string => {
  const last = modulePath.split('.').at(-1)!;
  const kind = last.replace(/_proj$/, '');
  return (kinds as readonly string[]).includes(kind) ? kind : last;
};

/** By layer, then by kind in the order of a Llama block, others after those by name. */
function moduleAxis(sites: readonly Site[]): { modules: Module[]; order: Map<string, number> } {
  const rank = (kind: string) => ((kinds as readonly string[]).indexOf(kind) + kinds.length + 1) % (kinds.length + 1);
  const modules = sites
    .map(({ path: name }) => ({ path: name, layer: layerOf(name), kind: kindOf(name) }))
    .sort((a, b) => a.layer - b.layer || rank(a.kind) - rank(b.kind) || (a.path < b.path ? -1 : 1));
  return { modules, order: new Map(modules.map(({ path: name }, i) => [name, i])) };
}

/** Modules that share an input, in the order of the module axis. */
function groupsOf(sites: readonly Site[], order: ReadonlyMap<string, number>): Site[][] {
  return sharingInput([...sites].sort((a, b) => order.get(a.path)! - order.get(b.path)!));
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
    1,
    ...sites.map(({ path: name, dOut }) =>
      Math.max(...experts.map(({ adapter }) => poolRank(adapter.modules.get(name)?.rank ?? 1, dIn, dOut))),
    ),
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
      const {
        a,
        b,
        rank: own,
      } = named(expert, () => orthonormalise(adapted.a(), adapted.b(), adapted.scale, adapted.rank, dIn, site.dOut));
      column(singular, at, topRightSingularVector(a, own, dIn));
      for (let r = 0; r < own; r++) {
        for (let d = 0; d < dIn; d++) down[downAt(d, at, r)] = a[r * dIn + d]!;
        for (let o = 0; o < site.dOut; o++) up[(e * rank + r) * site.dOut + o] = b[o * own + r]!;
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
 * copied into the cache, at no cost where the file system shares blocks until one is written to; a hard link would change
 * with the pool's file. What is large inside the model file itself is moved out, so that it can be mapped instead of parsed.
 */
function copyBase(folder: string, pool: Pool, model: ModelProto & { graph: GraphProto }): void {
  const baseFolder = path.dirname(pool.base.model);
  const sizes = new Map<string, number>();
  const copies = new Map<string, string>();
  for (const tensor of [...tensorsOf(model.graph), ...model.functions.flatMap((f) => [...tensorsOfNodes(f.node)])]) {
    const external = externalOf(tensor);
    const misfit = () =>
      invalidBase(
        `The tensor "${tensor.name.slice(0, 80)}" is not where or not as large as it says`,
        'Fetch the pool again, or export the base anew.',
      );
    if (!external) {
      if (!holdsWhatItDeclares(tensor)) throw misfit();
      continue;
    }
    const { location, offset, length } = external;
    if (!sizes.has(location)) {
      // Inside the model's own folder, which is inside the pool.
      const file = fileInside(baseFolder, location);
      copies.set(location, `base-${copies.size}.bin`);
      copyFileSync(file, path.join(folder, copies.get(location)!), constants.COPYFILE_FICLONE);
      sizes.set(location, statSync(file).size);
    }
    const size = sizes.get(location)!;
    const wanted = length ?? size - offset;
    const inside = [offset, wanted].every((n) => Number.isSafeInteger(n) && n >= 0) && offset + wanted <= size;
    if (!inside || !holdsWhatItDeclares(tensor, wanted)) throw misfit();
    setExternal(tensor, copies.get(location)!, offset, wanted);
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

/** Numbers of half precision as single, in a file beside; data files that nothing is left in go. */
function convertHalves(
  folder: string,
  { graph, functions }: ModelProto & { graph: GraphProto },
  halves: TensorProto[],
): void {
  if (halves.length === 0) return;
  const data = new DataFile(path.join(folder, 'single.bin'), 'single.bin');
  try {
    for (const tensor of halves) {
      const bytes =
        tensor.int32Data.length > 0
          ? new Uint8Array(Uint16Array.from(tensor.int32Data).buffer)
          : tensorBytes(folder, tensor);
      setInternal(tensor, toFloat32(halfOf(tensor)!, bytes));
      if (tensor.rawData.length >= 65_536) moveOut(tensor, data);
    }
  } finally {
    data.close();
  }
  const left = [...tensorsOf(graph), ...functions.flatMap((f) => [...tensorsOfNodes(f.node)])];
  const used = new Set(left.map((tensor) => externalOf(tensor)?.location));
  for (const name of readdirSync(folder))
    if (name.startsWith('base') && !used.has(name)) rmSync(path.join(folder, name));
}

/** [dOut, dIn] in float32; undefined where it is anything but a plain tensor. */
function weightOf(
  folder: string,
  { graph }: ModelProto & { graph: GraphProto },
  { node: { opType }, weight, flipped, dIn, dOut }: Product,
): Float32Array | undefined {
  const tensor = graph.initializer.find(({ name }) => name === weight);
  if (tensor?.dataType !== DataType.FLOAT || opType === 'MatMulNBits') return undefined;
  const bytes = tensorBytes(folder, tensor);
  if (bytes.length !== 4 * dIn * dOut) return undefined;
  const numbers = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  return flipped ? numbers : numbers.map((_, at) => numbers[(at % dIn) * dOut + Math.floor(at / dIn)]!);
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
  if (!external) return new Uint8Array(tensor.rawData);
  const bytes = new Uint8Array(external.length!);
  const fd = openSync(path.join(folder, external.location), 'r');
  try {
    if (readSync(fd, bytes, 0, bytes.length, external.offset) !== bytes.length)
      throw invalidBase(
        `The tensor "${tensor.name.slice(0, 80)}" is cut off`,
        'Fetch the pool again, or export the base anew.',
      );
  } finally {
    closeSync(fd);
  }
  return bytes;
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
