/**
 * A composed graph as onnxruntime has optimised it, kept beside the original: optimising takes half the time of opening. The
 * results are the same to the bit, as onnxruntime runs the optimised graph either way.
 */
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { parseModel, writeModel } from '../../graph/model.js';
import { seal, unbroken } from './seal.js';

/** Raise it when onnxruntime's settings for every model change. */
const makerVersion = 3;

export class Optimised {
  /** Its path. It must be beside the original, as onnxruntime looks for a graph's weights beside the graph. */
  readonly file: string;
  readonly #temporary: string;
  readonly #sealName: string;

  /** @param made the original, in a cache entry. @param onnxruntime version and settings: the result is for these and this machine only */
  constructor(
    private readonly made: string,
    onnxruntime: readonly string[],
  ) {
    const by = [makerVersion, ...onnxruntime, process.platform, process.arch, cpus()[0]?.model].join('\0');
    this.file = `${made}.${createHash('sha256').update(by).digest('hex').slice(0, 8)}`;
    this.#temporary = `${this.file}.${process.pid}.tmp`;
    this.#sealName = `${path.basename(this.file)}.seal`;
  }

  /** Whether it exists, is unchanged, and was made from the present original. */
  get isSound(): boolean {
    return unbroken(path.dirname(this.file), this.#sealName) !== undefined;
  }

  /**
   * Opens the original and keeps the optimised graph. Keeping it may fail silently: it only saves time.
   *
   * @param open gets the file that onnxruntime is to write the optimised graph to; undefined: none
   */
  async make<T>(open: (into: string | undefined) => Promise<T>): Promise<T> {
    if (!this.#canWrite()) return open(undefined);
    const opened = await this.#opened(open);
    try {
      this.#reverse();
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

  /**
   * onnxruntime writes the nodes of a graph that it has changed in the order in which it computes them, and computes those of a file
   * beginning with what the last one needs (route.ts). Only in reverse are they computed in that order again, in which values are
   * soon used up.
   */
  #reverse(): void {
    const [made, kept] = [this.made, this.#temporary].map((file) => parseModel(readFileSync(file)));
    const order = ({ graph }: ReturnType<typeof parseModel>) =>
      graph.node.map(({ output }) => output.join()).join('\n');
    if (order(kept!) === order(made!)) return;
    kept!.graph.node.reverse();
    writeFileSync(this.#temporary, writeModel(kept!));
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
      // The disk may be full; if the model is to blame, opening without the file shows it, too.
      rmSync(this.#temporary, { force: true });
      return open(undefined);
    }
  }
}
