import type { GraphProto } from './onnx_pb.js';

/**
 * Removes, in place, what newer exporters put after each attention's softmax: Where(IsNaN(P), 0, P), for rows of P that
 * attend to no token. Without padding every token attends to itself, so this changes nothing, and it takes longer than the softmax.
 */
export function removeGuards(graph: GraphProto): void {
  const makers = new Map(graph.node.flatMap((n) => n.output.map((name) => [name, n])));
  const outputs = new Set(graph.output.map(({ name }) => name));
  const instead = new Map<string, string>();
  for (const where of graph.node) {
    if (where.opType !== 'Where' || outputs.has(where.output[0]!)) continue;
    const [condition, , probability] = where.input;
    const test = makers.get(condition!);
    if (test?.opType !== 'IsNaN' || test.input[0] !== probability) continue;
    if (makers.get(probability!)?.opType === 'Softmax') instead.set(where.output[0]!, probability!);
  }
  if (instead.size === 0) return;
  for (const n of graph.node) n.input = n.input.map((name) => instead.get(name) ?? name);
  graph.node = graph.node.filter((n) => !instead.has(n.output[0]!));
  const used = new Set(graph.node.flatMap((n) => n.input));
  graph.node = graph.node.filter((n) => n.opType !== 'IsNaN' || used.has(n.output[0]!));
}
