// The base without routing, which the routed graph is compared with.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Past, PastLayout } from '../src/engine/runtime/past.js';
import { Session, int64 } from '../src/engine/runtime/session.js';
import { copyBase, quicken, readBase } from '../src/graph/base.js';
import { writeModel } from '../src/graph/model.js';
import { insertPredictions, likeliest } from '../src/graph/predictions.js';
import { names } from '../src/graph/route.js';

/**
 * The base alone in a folder, with the same head as the routed graph.
 *
 * @param file the pool's base model
 * @returns the model files: one outputs logits, the other the same predictions as the routed graph
 */
export function composeBase(folder: string, file: string): { readonly logits: string; readonly predictions: string } {
  const base = readBase(file);
  const { model } = base;
  copyBase(folder, file, base);
  const eightBits = quicken(folder, model, new Set());
  const files = { logits: path.join(folder, 'logits.onnx'), predictions: path.join(folder, 'predictions.onnx') };
  writeFileSync(files.logits, writeModel(model));
  insertPredictions(model, likeliest, eightBits);
  writeFileSync(files.predictions, writeModel(model));
  return files;
}

export class BaseSession {
  readonly #past: PastLayout;

  private constructor(private readonly session: Session) {
    this.#past = new PastLayout(session);
  }

  static async open(file: string, threads: number): Promise<BaseSession> {
    return new BaseSession(await Session.open(file, threads));
  }

  /** Computes all of the base's outputs but returns only the past. */
  async run(ids: Int32Array, done: number, past: Past | undefined): Promise<Past> {
    const predicts = this.session.inputs.some(({ name }) => name === names.targets);
    const feeds = {
      ...this.#past.feeds(ids, done, past),
      ...(predicts && { [names.targets]: int64(BigInt64Array.from(ids, BigInt), [1, ids.length, 1]) }),
    };
    return this.#past.of(await this.session.run(feeds, this.session.outputNames));
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}
