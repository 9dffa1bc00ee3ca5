import type { GraphProto } from './onnx_pb.js';
import { removeUnused } from './unused.js';

/**
 * Removes, in place, what newer exporters put after each attention for rows that attend to no token: Where(IsNaN(P), 0, P) after its
 * softmax P, or Where(the number of tokens that are seen < 1, 0, P V). Without padding every token attends to itself, so this
 * changes nothing, and the first takes longer than the softmax.
 */
export function removeGuards(graph: GraphProto): void {
  const makers = new Map(graph.node.flatMap((n) => n.output.map((name) => [name, n])));
  const outputs = new Set(graph.output.map(({ name }) => name));
  const instead = new Map<string, string>();
  for (const where of graph.node) {
    if (where.opType !== 'Where' || outputs.has(where.output[0]!)) continue;
    const [condition, , value] = where.input;
    const [test, maker] = [makers.get(condition!), makers.get(value!)];
    const isOfSoftmax = test?.opType === 'IsNaN' && test.input[0] === value && maker?.opType === 'Softmax';
    const counts = test?.opType === 'Less' && makers.get(test.input[0]!)?.opType === 'ReduceSum';
    const isOfMixed = counts && maker?.opType === 'MatMul' && makers.get(maker.input[0]!)?.opType === 'Softmax';
    if (isOfSoftmax || isOfMixed) instead.set(where.output[0]!, value!);
  }
  if (instead.size === 0) return;
  for (const n of graph.node) n.input = n.input.map((name) => instead.get(name) ?? name);
  graph.node = graph.node.filter((n) => !instead.has(n.output[0]!));
  removeUnused(graph);
}
