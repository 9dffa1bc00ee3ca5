/** Tensors in data files beside a model: copies of a base's own files, and newly written ones. */
import {
  closeSync,
  constants,
  copyFileSync,
  linkSync,
  openSync,
  readSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { fileInside } from '../pool/paths.js';
import {
  DataType,
  type GraphProto,
  type ModelProto,
  type TensorProto,
  externalOf,
  holdsWhatItDeclares,
  invalidBase,
  setExternal,
  tensorsOf,
  tensorsOfNodes,
} from './model.js';
import type { Product } from './products.js';

type Model = ModelProto & { graph: GraphProto };

/** Tensors of at least this many bytes are moved out of the model file. */
const large = 65_536;

/** A file to which tensors are appended, each at the start of a page so that it can be mapped into memory. */
export class DataFile {
  size = 0;
  readonly #fd: number;

  constructor(
    folder: string,
    readonly location: string,
  ) {
    this.#fd = openSync(path.join(folder, location), 'w');
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

/** Creates a data file in the folder, passes it to `work` and closes it. */
export function withDataFile<T>(folder: string, location: string, work: (data: DataFile) => T): T {
  const data = new DataFile(folder, location);
  try {
    return work(data);
  } finally {
    data.close();
  }
}

/**
 * onnxruntime reads external data only from the model's own folder, so the base's data files are copied into the cache. This
 * is free on a copy-on-write file system; a hard link would change with the pool's file. Large tensors inside the model file
 * are moved out, so that they can be mapped instead of parsed.
 *
 * @param made copies made so far, by the file they were copied from: a second copy is a hard link to the first
 */
export function copyData(folder: string, modelFile: string, model: Model, made = new Map<string, string>()): void {
  const copies = new DataCopies(path.dirname(modelFile), folder, made);
  for (const tensor of allTensors(model)) copies.move(tensor);
  const inside = model.graph.initializer.filter(isLarge);
  if (inside.length === 0) return;
  withDataFile(folder, 'base.bin', (data) => {
    for (const tensor of inside) moveOut(tensor, data);
  });
}

/** The data files of a base, each copied when its first tensor is reached. */
class DataCopies {
  readonly #copies = new Map<string, { readonly name: string; readonly size: number }>();

  constructor(
    private readonly from: string,
    private readonly to: string,
    private readonly made: Map<string, string>,
  ) {}

  /** Points the tensor to the copy. @throws GanderError `base-invalid` if its place or size is not what it declares */
  move(tensor: TensorProto): void {
    const external = externalOf(tensor);
    const misfit = () => misplaced(tensor, 'does not have the place or the size that it declares');
    if (!external) {
      if (!holdsWhatItDeclares(tensor)) throw misfit();
      return;
    }
    const { location, offset, length } = external;
    const { name, size } = this.#copyOf(location);
    const wanted = length ?? size - offset;
    const inside = [offset, wanted].every((n) => Number.isSafeInteger(n) && n >= 0) && offset + wanted <= size;
    if (!inside || !holdsWhatItDeclares(tensor, wanted)) throw misfit();
    setExternal(tensor, name, offset, wanted);
  }

  #copyOf(location: string) {
    let copy = this.#copies.get(location);
    if (!copy) {
      // Inside the model's own folder, which is inside the pool.
      const file = fileInside(this.from, location);
      copy = { name: `base-${this.#copies.size}.bin`, size: statSync(file).size };
      this.#put(file, path.join(this.to, copy.name));
      this.#copies.set(location, copy);
    }
    return copy;
  }

  #put(file: string, to: string): void {
    const first = this.made.get(file);
    if (first !== undefined && isLinked(first, to)) return;
    copyFileSync(file, to, constants.COPYFILE_FICLONE);
    this.made.set(file, to);
  }
}

/** Tries a hard link, which not every file system has. */
function isLinked(file: string, to: string): boolean {
  try {
    linkSync(file, to);
    return true;
  } catch {
    return false;
  }
}

/** The data files that a model's tensors are in, by name, and how many bytes of each they use; Infinity: up to its end. */
export function dataFiles(model: Model): Map<string, number> {
  const used = new Map<string, number>();
  for (const tensor of allTensors(model)) {
    const external = externalOf(tensor);
    if (!external) continue;
    const { location, offset, length = Infinity } = external;
    used.set(location, Math.max(used.get(location) ?? 0, offset + length));
  }
  return new Map([...used].sort());
}

/** Deletes copied data files that no tensor is in any more. */
export function removeUnused(folder: string, model: Model): void {
  const used = dataFiles(model);
  for (const name of readdirSync(folder))
    if (name.startsWith('base') && !used.has(name)) rmSync(path.join(folder, name));
}

export function isLarge({ rawData }: TensorProto): boolean {
  return rawData.length >= large;
}

export function moveOut(tensor: TensorProto, data: DataFile): void {
  const { rawData } = tensor;
  const { location, offset } = data.append(rawData);
  setExternal(tensor, location, offset, rawData.length);
}

/** A tensor's bytes, aligned, from the folder or from the model itself. */
export function tensorBytes(folder: string, tensor: TensorProto): Uint8Array {
  const external = externalOf(tensor);
  if (!external) return new Uint8Array(tensor.rawData);
  const bytes = new Uint8Array(external.length!);
  const fd = openSync(path.join(folder, external.location), 'r');
  try {
    if (readSync(fd, bytes, 0, bytes.length, external.offset) !== bytes.length) throw misplaced(tensor, 'is cut off');
  } finally {
    closeSync(fd);
  }
  return bytes;
}

/** [dOut, dIn] in float32; undefined if the weight is not a plain float32 tensor. */
export function weightOf(
  folder: string,
  { initializer }: GraphProto,
  { node: { opType }, weight, flipped, dIn, dOut }: Product,
): Float32Array | undefined {
  const tensor = initializer.find(({ name }) => name === weight);
  if (tensor?.dataType !== DataType.FLOAT || opType === 'MatMulNBits') return undefined;
  const bytes = tensorBytes(folder, tensor);
  if (bytes.length !== 4 * dIn * dOut) return undefined;
  const numbers = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  return flipped ? numbers : numbers.map((_, at) => numbers[(at % dIn) * dOut + Math.floor(at / dIn)]!);
}

function allTensors({ graph, functions }: Model): TensorProto[] {
  return [...tensorsOf(graph), ...functions.flatMap((f) => [...tensorsOfNodes(f.node)])];
}

function misplaced({ name }: TensorProto, what: string) {
  return invalidBase(`The tensor "${name.slice(0, 80)}" ${what}`, 'Fetch the pool again, or export the base again.');
}
