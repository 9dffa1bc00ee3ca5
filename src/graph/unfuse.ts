import { type GraphProto, node } from './model.js';

/** Activations without parameters. */
const plain = new Set(['Relu', 'Sigmoid', 'Tanh']);

/** Splits a Gemm from the activation that onnxruntime's optimiser fused with it, in place: W u is needed by itself. */
export function unfuse(graph: GraphProto): void {
  graph.node = graph.node.flatMap((n) => {
    const activation = n.attribute.find(({ name }) => name === 'activation')?.s;
    const operator = activation && new TextDecoder().decode(activation);
    if (n.opType !== 'FusedGemm' || !operator || !plain.has(operator)) return [n];
    const output = n.output[0]!;
    n.opType = 'Gemm';
    n.domain = '';
    n.attribute = n.attribute.filter(({ name }) => !name.startsWith('activation'));
    n.output[0] = `gander.fused.${output}`;
    return [n, node(operator, [n.output[0]], [output])];
  });
}
