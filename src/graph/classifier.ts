/** An X-LoRA classifier as a graph of its own. */
import { create } from '@bufbuild/protobuf';
import { DataType, floats, node, valueInfo, writeModel } from './model.js';
import { ModelProtoSchema } from './onnx_pb.js';

export const classifierNames = {
  /** [T, d] the base's last hidden states. */
  hidden: 'hidden',
  /** [T, C] */
  logits: 'logits',
} as const;

interface Layer {
  readonly dIn: number;
  readonly dOut: number;
  readonly weight: () => Float32Array;
  readonly bias: () => Float32Array;
}

/** Linear layers with ReLU between them. */
export function classifierModel(layers: readonly Layer[]): Uint8Array {
  const last = layers.length - 1;
  const made = (i: number) => (i === last ? classifierNames.logits : `sum.${i}`);
  const read = (i: number) => (i === 0 ? classifierNames.hidden : `relu.${i - 1}`);
  const model = create(ModelProtoSchema, {
    irVersion: 8n,
    opsetImport: [{ domain: '', version: 13n }],
    graph: {
      name: 'classifier',
      node: layers.flatMap((_, i) => [
        node('Gemm', [read(i), `weight.${i}`, `bias.${i}`], [made(i)], { transB: 1 }),
        ...(i === last ? [] : [node('Relu', [made(i)], [`relu.${i}`])]),
      ]),
      initializer: layers.flatMap(({ dIn, dOut, weight, bias }, i) => [
        floats(`weight.${i}`, [dOut, dIn], weight()),
        floats(`bias.${i}`, [dOut], bias()),
      ]),
      input: [valueInfo(classifierNames.hidden, DataType.FLOAT, ['tokens', layers[0]!.dIn])],
      output: [valueInfo(classifierNames.logits, DataType.FLOAT, ['tokens', layers[last]!.dOut])],
    },
  });
  return writeModel(model);
}
