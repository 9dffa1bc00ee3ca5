import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { z } from 'zod';
import { floatsOf } from './floats.js';

/** Why a safetensors file cannot be used. Callers add whose file it is. */
export class SafetensorsError extends Error {}

const bytesOf: Readonly<Record<string, number>> = { F32: 4, F16: 2, BF16: 2, I8: 1 };

/** The header is JSON of tensor names; an adapter's is well below this. */
const longestHeader = 16 * 2 ** 20;

const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(z.int().nonnegative()).max(8),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});

export interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly length: number;
}

/**
 * The header of a safetensors file; tensors are read one by one when asked for. Every declared length is checked
 * against the file before anything is allocated. Format: https://github.com/huggingface/safetensors.
 */
export class Safetensors {
  private constructor(
    readonly file: string,
    readonly entries: ReadonlyMap<string, Entry>,
    readonly bytes: number,
  ) {}

  /** @throws SafetensorsError */
  static open(file: string): Safetensors {
    return withFile(file, (fd) => {
      const size = fstatSync(fd).size;
      if (size < 8) throw new SafetensorsError('the file is too short');
      const headerLength = Number(read(fd, 0, 8).readBigUInt64LE());
      if (headerLength > longestHeader || 8 + headerLength > size) {
        throw new SafetensorsError(`it declares a header of ${headerLength} bytes, in a file of ${size}`);
      }
      return new Safetensors(file, parseEntries(read(fd, 8, headerLength), 8 + headerLength, size), size);
    });
  }

  /** The tensor's numbers as float32, whichever of F32, F16 and BF16 they are stored in. @throws SafetensorsError */
  floats(name: string): Float32Array {
    const entry = this.#entry(name);
    const numbers = floatsOf(entry.dtype, this.#bytes(entry));
    if (!numbers) throw new SafetensorsError(`"${name}" is ${entry.dtype}; F32, F16 or BF16 are understood`);
    // A number that is none would spread through the whole model.
    if (!numbers.every(Number.isFinite)) throw new SafetensorsError(`"${name}" holds a number that is not finite`);
    return numbers;
  }

  /** @throws SafetensorsError */
  int8s(name: string): Int8Array {
    const entry = this.#entry(name);
    if (entry.dtype !== 'I8') throw new SafetensorsError(`"${name}" is ${entry.dtype}, not I8`);
    const bytes = this.#bytes(entry);
    return new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  #entry(name: string): Entry {
    const entry = this.entries.get(name);
    if (!entry) throw new SafetensorsError(`there is no tensor "${name}"`);
    return entry;
  }

  #bytes(entry: Entry): Buffer {
    return withFile(this.file, (fd) => read(fd, entry.offset, entry.length));
  }
}

function parseEntries(header: Buffer, start: number, size: number): Map<string, Entry> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(header));
  } catch {
    throw new SafetensorsError('its header is not JSON');
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new SafetensorsError('its header is not an object');
  const entries = new Map<string, Entry>();
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') continue;
    const parsed = entrySchema.safeParse(value);
    if (!parsed.success) throw new SafetensorsError(`the entry "${name.slice(0, 120)}" is malformed`);
    const { dtype, shape, data_offsets: [begin, end] } = parsed.data;
    const width = bytesOf[dtype];
    if (end < begin || start + end > size) throw new SafetensorsError(`"${name}" lies outside the file`);
    if (width !== undefined && shape.reduce((product, n) => product * n, width) !== end - begin) {
      throw new SafetensorsError(`"${name}" has shape [${shape.join(', ')}] but ${end - begin} bytes`);
    }
    entries.set(name, { dtype, shape, offset: start + begin, length: end - begin });
  }
  return entries;
}

function withFile<T>(file: string, use: (fd: number) => T): T {
  const fd = openSync(file, 'r');
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

function read(fd: number, position: number, length: number): Buffer {
  // Not from Node's shared pool: typed arrays are laid over it, at offset 0.
  const buffer = Buffer.from(new ArrayBuffer(length));
  let done = 0;
  while (done < length) {
    const count = readSync(fd, buffer, done, length - done, position + done);
    if (count === 0) throw new SafetensorsError('the file ends too early');
    done += count;
  }
  return buffer;
}
