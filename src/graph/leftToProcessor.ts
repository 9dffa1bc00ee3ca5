/**
 * Nodes that onnxruntime's WebGPU provider computes wrongly, imprecisely or not at all whatever the card, as measured with 1.30
 * (docs/models.md). What depends on the card, a try of it finds.
 */
import type { GraphProto, NodeProto } from './onnx_pb.js';

/** Buffers that every implementation of WebGPU gives a shader: its specification's default limit. */
const buffers = 8;

/** @returns their names. Nodes without a name cannot be told apart, and are left where onnxruntime places them */
export function leftToProcessor({ node }: GraphProto): string[] {
  return node.filter((n) => n.name !== '' && isLeft(n)).map(({ name }) => name);
}

function isLeft({ name, opType, input, output }: NodeProto): boolean {
  switch (opType) {
    // WebGPU asks for 11 bits of an angle's sine only within a half turn, and positions are many turns.
    case 'Sin':
    case 'Cos':
      return true;
    // It gave other numbers on more than a few tokens. A model's own one is not parted from what it shares with the card.
    case 'GroupQueryAttention':
      return name.startsWith('/gander/');
    // Its second output, 1 ÷ RMS, is not what it should be.
    case 'SimplifiedLayerNormalization':
      return Boolean(output[1]);
    // One buffer for each output.
    case 'Split':
      return input.length + output.length > buffers;
    default:
      return false;
  }
}
