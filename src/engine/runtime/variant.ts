/** A graph made from a composed one, in the same cache entry: they share their weights, which may be gigabytes. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readCached } from './cache.js';
import { seal, unbroken } from './seal.js';

export class Variant {
  /** Its path. It must be beside the original, as onnxruntime looks for a graph's weights beside the graph. */
  readonly file: string;
  readonly #sealName: string;

  /** @param made the original, in a cache entry. @param name part of the file's name */
  constructor(
    private readonly made: string,
    name: string,
  ) {
    const { dir, name: stem, ext } = path.parse(made);
    this.file = path.join(dir, `${stem}.${name}${ext}`);
    this.#sealName = `${path.basename(this.file)}.seal`;
  }

  /** Whether it exists, is unchanged, and was made from the present original. */
  get isSound(): boolean {
    return unbroken(path.dirname(this.file), this.#sealName) !== undefined;
  }

  /** @param change turns the original's bytes into those of the variant */
  make(change: (bytes: Uint8Array) => Uint8Array): void {
    const temporary = `${this.file}.${process.pid}.tmp`;
    try {
      writeFileSync(temporary, change(readCached(this.made)));
      renameSync(temporary, this.file);
    } finally {
      rmSync(temporary, { force: true });
    }
    const names = [this.made, this.file].map((file) => path.basename(file));
    seal(path.dirname(this.file), names, this.#sealName);
  }
}
