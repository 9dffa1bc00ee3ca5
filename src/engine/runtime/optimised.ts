/**
 * A composed graph as onnxruntime optimised it, beside the one that it was made of: to do that anew is half of what opening
 * it takes. It computes the same to the bit, being what onnxruntime runs either way.
 */
import { createHash } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { seal, unbroken } from './seal.js';

/** Raise it when onnxruntime is told something else for every model. */
const makerVersion = 2;

export class Optimised {
  /** Where it is. onnxruntime looks for a graph's numbers beside it, so it can be nowhere else. */
  readonly file: string;
  readonly #temporary: string;
  readonly #sealName: string;

  /** @param made of, in an entry of the cache. @param onnxruntime which, and told what: what it makes is for itself, and for this machine */
  constructor(
    private readonly made: string,
    onnxruntime: readonly string[],
  ) {
    const by = [makerVersion, ...onnxruntime, process.platform, process.arch, cpus()[0]?.model].join('\0');
    this.file = `${made}.${createHash('sha256').update(by).digest('hex').slice(0, 8)}`;
    this.#temporary = `${this.file}.${process.pid}.tmp`;
    this.#sealName = `${path.basename(this.file)}.seal`;
  }

  /** Whether it is there, as it was kept, and made of what is there now. */
  get isSound(): boolean {
    return unbroken(path.dirname(this.file), this.#sealName) !== undefined;
  }

  /**
   * Opens what it is made of, and keeps what that becomes. Whatever of the keeping fails is left undone: it only saves time.
   *
   * @param open with a file for onnxruntime to write the optimised graph to; undefined: nowhere
   */
  async make<T>(open: (into: string | undefined) => Promise<T>): Promise<T> {
    if (!this.#canWrite()) return open(undefined);
    const opened = await this.#opened(open);
    try {
      renameSync(this.#temporary, this.file);
      seal(
        path.dirname(this.file),
        [this.made, this.file].map((file) => path.basename(file)),
        this.#sealName,
      );
    } catch {
      rmSync(this.#temporary, { force: true });
    }
    return opened;
  }

  #canWrite(): boolean {
    try {
      writeFileSync(this.#temporary, '');
      return true;
    } catch {
      return false;
    }
  }

  async #opened<T>(open: (into: string | undefined) => Promise<T>): Promise<T> {
    try {
      return await open(this.#temporary);
    } catch {
      // A full disk; or the model, which then says so without it, too.
      rmSync(this.#temporary, { force: true });
      return open(undefined);
    }
  }
}
