/** A base model as it is on disk, made ready for the routing to be put in. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { copyData } from './external.js';
import { removeGuards } from './guards.js';
import { halveProducts } from './halves.js';
import {
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  invalidBase,
  opset,
  parseModel,
} from './model.js';
import { growPast, settlePast } from './past.js';
import { convertToSingle, declareSingle } from './single.js';
import { unfuse } from './unfuse.js';

export interface Base {
  readonly model: ModelProto & { graph: GraphProto };
  /** Those of its tensors that are still in half precision. */
  readonly halves: readonly TensorProto[];
}

/** A causal language model. @throws GanderError `base-invalid` */
export function readBase(file: string): Base {
  return readGraph(file, ['logits'], 'Export it as a causal language model with past keys and values.');
}

/**
 * @param gives outputs that it has to have
 * @param remedy where it does not
 * @throws GanderError `base-invalid`
 */
export function readGraph(file: string, gives: readonly string[], remedy: string): Base {
  const model = parseModel(readFileSync(file));
  if (opset(model) < 13)
    throw invalidBase(`The base model uses operator set ${opset(model)}`, 'Export it with operator set 13 or newer.');
  if (model.graph.input.some(({ name }) => name === 'use_cache_branch'))
    throw invalidBase(
      `${path.basename(file)} holds a decoder and the one with past keys and values in branches`,
      'Export them as two files: optimum-cli export onnx --no-post-process, or gander-training export-base.',
    );
  const lacking = gives.find((wanted) => !model.graph.output.some(({ name }) => name === wanted));
  if (lacking !== undefined) throw invalidBase(`The base model gives no "${lacking}"`, remedy);
  unfuse(model.graph);
  growPast(model.graph);
  settlePast(model.graph);
  return { model, halves: declareSingle(model) };
}

/**
 * Copies a base's numbers into the folder, in single precision.
 *
 * @param file that the base was read from
 * @param copies of files that other graphs of the same base share with it
 */
export function copyBase(folder: string, file: string, { model, halves }: Base, copies?: Map<string, string>): void {
  copyData(folder, file, model, copies);
  convertToSingle(folder, model, halves);
}

/**
 * Takes out what only slows a run down.
 *
 * @param adapted products that are left as they are
 * @returns by what they give, the 8-bit products that stand in the graph as two of 4 bits
 */
export function quicken(
  folder: string,
  { graph }: ModelProto & { graph: GraphProto },
  adapted: ReadonlySet<NodeProto>,
): ReadonlyMap<string, NodeProto> {
  removeGuards(graph);
  return halveProducts(folder, graph, adapted);
}
