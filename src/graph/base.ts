/** Reads a base model from disk and prepares it for the routing to be inserted. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { copyData } from './external.js';
import { foldShapes } from './foldShapes.js';
import { fuseAttention } from './fuseAttention.js';
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
  /** Tensors that are still in half precision. */
  readonly halves: readonly TensorProto[];
}

/** A causal language model. @throws GanderError `base-invalid` */
export function readBase(file: string): Base {
  return readGraph(file, ['logits'], 'Export it as a causal language model with past keys and values.');
}

/**
 * @param gives outputs that the graph must have
 * @param remedy for the error if it lacks one
 * @throws GanderError `base-invalid`
 */
export function readGraph(file: string, gives: readonly string[], remedy: string): Base {
  const model = parseModel(readFileSync(file));
  if (opset(model) < 13)
    throw invalidBase(`The base model uses operator set ${opset(model)}`, 'Export it with operator set 13 or newer.');
  if (model.graph.input.some(({ name }) => name === 'use_cache_branch'))
    throw invalidBase(
      `${path.basename(file)} contains the decoder without and with past keys and values, as branches of one graph`,
      'Export them as two files: optimum-cli export onnx --no-post-process, or gander-training export-base.',
    );
  const lacking = gives.find((wanted) => !model.graph.output.some(({ name }) => name === wanted));
  if (lacking !== undefined) throw invalidBase(`The base model has no output "${lacking}"`, remedy);
  unfuse(model.graph);
  growPast(model.graph);
  settlePast(model.graph);
  return { model, halves: declareSingle(model) };
}

/**
 * Copies a base's weights into the folder, converted to single precision.
 *
 * @param file the file that the base was read from
 * @param copies files copied so far, which other graphs of the same base may share
 */
export function copyBase(folder: string, file: string, { model, halves }: Base, copies?: Map<string, string>): void {
  copyData(folder, file, model, copies);
  convertToSingle(folder, model, halves);
}

/**
 * Removes what only slows a run down.
 *
 * @param adapted products with experts, which are left as they are
 * @returns the 8-bit products that were replaced by two 4-bit ones, by output name
 */
export function quicken(
  folder: string,
  { graph }: ModelProto & { graph: GraphProto },
  adapted: ReadonlySet<NodeProto>,
): ReadonlyMap<string, NodeProto> {
  removeGuards(graph);
  fuseAttention(graph, foldShapes(graph));
  return halveProducts(folder, graph, adapted);
}
