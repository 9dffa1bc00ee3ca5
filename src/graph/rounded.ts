import type { Warning } from '../shared/source.js';
import { intAttribute } from './model.js';
import type { GraphProto } from './onnx_pb.js';

/** Operators that round activations to 8 bits by the largest of all tokens that run together. */
const together = new Set(['MatMulInteger', 'DynamicQuantizeMatMul', 'MatMulIntegerToFloat']);

/** The first operator by which what a token becomes hangs on which tokens run with it. */
export function roundedTogether({ node }: GraphProto): string | undefined {
  return node.find(({ opType }) => together.has(opType))?.opType;
}

/**
 * Weights of few bits may be multiplied by inputs that are rounded, too: onnxruntime-genai asks for it in every product.
 * That is what the file computes, and so what Gander shows; it is not what its weights make of the text.
 */
export function roundedInputs(graph: GraphProto, what: 'base' | 'model'): Warning[] {
  const products = graph.node.filter(({ opType }) => opType === 'MatMulNBits');
  const rounded = products.filter((n) => intAttribute(n, 'accuracy_level') === 4).length;
  if (rounded === 0) return [];
  const text = `The ${what} rounds the inputs of ${rounded} of its ${products.length} quantised products to 8 bits (MatMulNBits, accuracy_level 4), so its numbers are not exactly those of its weights. Export it without accuracy_level to have them.`;
  return [{ code: 'inputs-rounded', text }];
}
