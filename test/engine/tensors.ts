import { readFileSync } from 'node:fs';
import { type SafetensorsHeader, parseHeader, tensorArray, toFloat32 } from '../../src/formats/safetensors.js';

/** A fixture's safetensors file, read in full. */
export class Tensors {
  readonly #bytes: Buffer;
  readonly header: SafetensorsHeader;

  constructor(file: string) {
    this.#bytes = readFileSync(file);
    this.header = parseHeader(this.#bytes, this.#bytes.length);
  }

  has(name: string): boolean {
    return this.header.tensors.has(name);
  }

  floats(name: string): Float32Array {
    const { dtype, bytes } = this.#tensor(name);
    return toFloat32(dtype, bytes);
  }

  ids(name: string): Int32Array {
    return tensorArray('I32', this.#tensor(name).bytes);
  }

  #tensor(name: string) {
    const entry = this.header.tensors.get(name);
    if (!entry) throw new Error(`there is no ${name}`);
    return { dtype: entry.dtype, bytes: this.#bytes.subarray(entry.begin, entry.end) };
  }
}
