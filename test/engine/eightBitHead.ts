import { create } from '@bufbuild/protobuf';
import { DataType, floats, node, parseModel, writeModel } from '../../src/graph/model.js';
import { TensorProtoSchema } from '../../src/graph/onnx_pb.js';

/** The tiny pool's base with a head as onnxruntime's `quantize_dynamic` makes it, with weights over all of their 8 bits. */
export function eightBitHead(bytes: Uint8Array): Uint8Array {
  const model = parseModel(bytes);
  const { graph } = model;
  const head = graph.node.find(({ output }) => output.includes('logits'))!;
  const name = 'model.embed_tokens.weight';
  const { dims, rawData } = graph.initializer.find((tensor) => tensor.name === name)!;
  const weights = new Float32Array(Uint8Array.from(rawData).buffer);
  const [tokens, width] = dims.map(Number) as [number, number];
  const step = weights.reduce((most, w) => Math.max(most, Math.abs(w)), 0) / 127;
  // [width, tokens], because the graph transposes it.
  const rounded = weights.map((_, at) => Math.round(weights[(at % tokens) * width + Math.floor(at / tokens)]! / step));
  graph.initializer.push(
    create(TensorProtoSchema, {
      name: `${name}_quantized`,
      dataType: DataType.INT8,
      dims: [...dims].reverse(),
      rawData: new Uint8Array(Int8Array.from(rounded).buffer),
    }),
    floats(`${name}_scale`, [], Float32Array.of(step)),
  );
  graph.node.splice(
    graph.node.indexOf(head),
    1,
    node('DynamicQuantizeLinear', [head.input[0]!], ['head_bytes', 'head_step', 'head_zero']),
    node('MatMulInteger', ['head_bytes', `${name}_quantized`, 'head_zero'], ['head_sums']),
    node('Cast', ['head_sums'], ['head_floats'], { to: DataType.FLOAT }),
    node('Mul', ['head_step', `${name}_scale`], ['head_steps']),
    node('Mul', ['head_floats', 'head_steps'], ['logits']),
  );
  return writeModel(model);
}
