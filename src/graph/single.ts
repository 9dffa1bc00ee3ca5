import { toFloat32 } from '../formats/safetensors.js';
import { isLarge, moveOut, removeUnused, tensorBytes, withDataFile } from './external.js';
import {
  DataType,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  setInternal,
  tensorsOf,
  tensorsOfNodes,
} from './model.js';

/** The two kinds of half precision. */
const halves: ReadonlyMap<number, 'F16' | 'BF16'> = new Map([
  [DataType.FLOAT16, 'F16'],
  [DataType.BFLOAT16, 'BF16'],
]);

/** Attributes that name the type of an operator's output. */
const typed = new Set(['to', 'dtype', 'output_dtype']);

/** Which of them a tensor is in. */
function halfOf({ dataType }: TensorProto): 'F16' | 'BF16' | undefined {
  return halves.get(dataType);
}

/**
 * Declares everything that a graph computes in half precision as single precision, in place. On a CPU onnxruntime computes
 * most of it in single precision anyway and rounds after each operator; without the rounding, the numbers are exactly those
 * of the weights.
 *
 * @returns the tensors that are still to be converted; their type says from what
 */
export function declareSingle(model: ModelProto & { graph: GraphProto }): TensorProto[] {
  const nodes = [...model.functions.flatMap((f) => f.node)];
  declareGraph(model.graph);
  nodes.forEach(declareNode);
  return [...tensorsOf(model.graph), ...tensorsOfNodes(nodes)].filter(halfOf);
}

/** Converts those tensors to single precision, in a file beside the model, and deletes copied data files that become unused. */
export function convertToSingle(
  folder: string,
  model: ModelProto & { graph: GraphProto },
  tensors: readonly TensorProto[],
): void {
  if (tensors.length === 0) return;
  withDataFile(folder, 'single.bin', (data) => {
    for (const tensor of tensors) {
      const bytes =
        tensor.int32Data.length > 0
          ? new Uint8Array(Uint16Array.from(tensor.int32Data).buffer)
          : tensorBytes(folder, tensor);
      setInternal(tensor, toFloat32(halfOf(tensor)!, bytes));
      if (isLarge(tensor)) moveOut(tensor, data);
    }
  });
  removeUnused(folder, model);
}

function declareGraph(graph: GraphProto): void {
  for (const { type } of [...graph.input, ...graph.output, ...graph.valueInfo]) {
    if (type?.value.case === 'tensorType' && halves.has(type.value.value.elemType))
      type.value.value.elemType = DataType.FLOAT;
  }
  graph.node.forEach(declareNode);
}

function declareNode(n: NodeProto): void {
  for (const attribute of n.attribute) {
    if (typed.has(attribute.name) && halves.has(Number(attribute.i))) attribute.i = BigInt(DataType.FLOAT);
    if (attribute.g) declareGraph(attribute.g);
    attribute.graphs.forEach(declareGraph);
  }
}
