/** A graph made of a composed one, in its entry of the cache: of the same numbers, which may be gigabytes. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readCached } from './cache.js';
import { seal, unbroken } from './seal.js';

export class Variant {
  /** Where it is. onnxruntime looks for a graph's numbers beside it, so it can be nowhere else. */
  readonly file: string;
  readonly #sealName: string;

  /** @param made of, in an entry of the cache. @param name part of the file's name */
  constructor(
    private readonly made: string,
    name: string,
  ) {
    const { dir, name: stem, ext } = path.parse(made);
    this.file = path.join(dir, `${stem}.${name}${ext}`);
    this.#sealName = `${path.basename(this.file)}.seal`;
  }

  /** Whether it is there, as it was made, and made of what is there now. */
  get isSound(): boolean {
    return unbroken(path.dirname(this.file), this.#sealName) !== undefined;
  }

  /** @param change the graph's bytes to those of the variant */
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
