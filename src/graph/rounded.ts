import type { Processor } from './processor.js';
import type { Warning } from '../requests/description.js';
import { intAttribute } from './model.js';
import type { GraphProto } from './onnx_pb.js';

/** Operators that round activations to 8 bits on a scale set by the largest of all tokens that run together. */
const together = new Set([
  'MatMulInteger',
  'DynamicQuantizeMatMul',
  'MatMulIntegerToFloat',
  'ConvInteger',
  'DynamicQuantizeLSTM',
]);

/** Others that multiply 8 bits by 8 bits, or will once onnxruntime has fused them. */
const fixed = new Set(['QLinearMatMul', 'QLinearConv', 'QGemm', 'QAttention', 'QuantizeLinear']);

/** All operators that multiply 8 bits by 8 bits, or may after fusion. */
export const eightBitOperators: readonly string[] = [...together, ...fixed];

/** What a model computes in 8 bits, where its numbers may depend on the processor. */
export interface EightBits {
  readonly what: 'base' | 'model' | 'retriever';
  /** The first operator that multiplies 8 bits by 8 bits. */
  readonly product?: string;
  readonly together?: string;
  /** How many products with quantised weights allow their inputs to be rounded, and how many there are. */
  readonly roundable: number;
  readonly quantised: number;
}

/** The first operator that makes a token's numbers depend on which tokens run with it. */
export function roundedTogether({ node }: GraphProto): string | undefined {
  return node.find(({ opType }) => together.has(opType))?.opType;
}

/** @param graphs all graphs of the model */
export function eightBitsIn(graphs: readonly GraphProto[], what: EightBits['what']): EightBits {
  const nodes = graphs.flatMap(({ node }) => node);
  const first = (wanted: (opType: string) => boolean) => nodes.find(({ opType }) => wanted(opType))?.opType;
  const product = first((opType) => together.has(opType) || fixed.has(opType));
  // A retriever reads each text in one piece.
  const neighbours = what === 'retriever' ? undefined : first((opType) => together.has(opType));
  const quantised = nodes.filter(({ opType }) => opType === 'MatMulNBits');
  return {
    what,
    ...(product !== undefined && { product }),
    ...(neighbours !== undefined && { together: neighbours }),
    roundable: quantised.filter((n) => intAttribute(n, 'accuracy_level') === 4).length,
    quantised: quantised.length,
  };
}

/** Warnings for this processor. */
export function eightBitWarnings(of: EightBits, processor: Processor): Warning[] {
  const { product, together: neighbours, roundable } = of;
  return [
    ...(neighbours === undefined ? [] : [togetherWarning(of, neighbours)]),
    ...(product !== undefined && processor.sums === 'wrong' ? [sumsWarning(of, product)] : []),
    ...(roundable > 0 ? [roundableWarning(of, processor)] : []),
  ];
}

function togetherWarning({ what }: EightBits, operator: string): Warning {
  const text = `The ${what} rounds activations to 8 bits by the largest of all tokens that run together (${operator}): a token's numbers depend on its neighbours and, where one lies between two steps, on the processor. Another export, such as model_q4.onnx, does not.`;
  return { code: 'inputs-rounded', text };
}

function sumsWarning({ what }: EightBits, operator: string): Warning {
  const text = `The ${what} multiplies in 8 bits (${operator}), and this processor cuts off large sums of such products, so its numbers differ from those on other processors. Export it with weights of 7 bits (reduce_range), with weights alone in 4 bits (MatMulNBits), or with float weights.`;
  return { code: 'processor-dependent', text };
}

/**
 * onnxruntime-genai allows it in every product. Gander shows what the file says; where inputs are rounded, that is not
 * exactly what its weights would compute.
 */
function roundableWarning({ what, roundable, quantised }: EightBits, { roundsInputs }: Processor): Warning {
  const which = `the inputs of ${roundable} of its ${quantised} quantised products`;
  const remedy = 'Export it without accuracy_level to get the same numbers everywhere.';
  if (roundsInputs) {
    const text = `The ${what} rounds ${which} to 8 bits (MatMulNBits, accuracy_level 4), so its numbers are not exactly those of its weights; some processors do not round them, and give other numbers. ${remedy}`;
    return { code: 'inputs-rounded', text };
  }
  const text = `The ${what} allows ${which} to be rounded to 8 bits (MatMulNBits, accuracy_level 4). This processor does not round them; most do, and give other numbers. ${remedy}`;
  return { code: 'processor-dependent', text };
}
