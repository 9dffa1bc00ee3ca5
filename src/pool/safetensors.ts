import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { poolLimits } from '../checks/limits.js';
import {
  type SafetensorsHeader,
  SafetensorsError,
  parseHeader,
  prefixLength,
  tensorArray,
  toFloat32,
} from '../formats/safetensors.js';

export { SafetensorsError } from '../formats/safetensors.js';

/** Types that weights are stored in. */
export type FloatType = 'F32' | 'F16' | 'BF16';

/**
 * A safetensors file on disk: the header is read and checked at once, tensors one by one on request. Every declared length is
 * checked against the file before it is used.
 */
export class Safetensors {
  private constructor(
    readonly file: string,
    readonly header: SafetensorsHeader,
  ) {}

  /** @throws SafetensorsError */
  static open(file: string): Safetensors {
    return withFile(file, (fd) => {
      const { size } = fstatSync(fd);
      const length = prefixLength(read(fd, 0, Math.min(8, size)), size);
      if (length > poolLimits.header) throw new SafetensorsError(`it declares a header of ${length} bytes`);
      return new Safetensors(file, parseHeader(read(fd, 0, length), size));
    });
  }

  /** The tensor's numbers, stored as F32, F16 or BF16. @throws SafetensorsError */
  floats(name: string): Float32Array {
    const { dtype, bytes } = this.#tensor(name);
    if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16')
      throw new SafetensorsError(`"${name}" is ${dtype}; F32, F16 and BF16 are supported`);
    const numbers = toFloat32(dtype, bytes);
    // One NaN would spread through the whole model.
    let finite = 0;
    while (finite < numbers.length && Number.isFinite(numbers[finite])) finite++;
    if (finite < numbers.length) throw new SafetensorsError(`"${name}" contains a number that is not finite`);
    return numbers;
  }

  /** @throws SafetensorsError */
  int8s(name: string): Int8Array {
    const { dtype, bytes } = this.#tensor(name);
    if (dtype !== 'I8') throw new SafetensorsError(`"${name}" is ${dtype}, not I8`);
    return tensorArray('I8', bytes);
  }

  #tensor(name: string): { dtype: string; bytes: Uint8Array } {
    const entry = this.header.tensors.get(name);
    if (!entry) throw new SafetensorsError(`there is no tensor "${name}"`);
    return { dtype: entry.dtype, bytes: withFile(this.file, (fd) => read(fd, entry.begin, entry.end - entry.begin)) };
  }
}

function withFile<T>(file: string, use: (fd: number) => T): T {
  const fd = openSync(file, 'r');
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

function read(fd: number, position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const count = readSync(fd, bytes, done, length - done, position + done);
    if (count === 0) throw new SafetensorsError('the file ends too early');
    done += count;
  }
  return bytes;
}
