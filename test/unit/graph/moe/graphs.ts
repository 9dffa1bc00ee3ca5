/** Builds graphs by hand. */
import { create } from '@bufbuild/protobuf';
import { type GraphProto, type ModelProto, type NodeProto, type TensorProto } from '../../../../src/graph/model.js';
import { GraphProtoSchema, ModelProtoSchema } from '../../../../src/graph/onnx_pb.js';

export function graphOf(
  nodes: readonly NodeProto[],
  {
    inputs = [],
    outputs = [],
    constants = [],
  }: {
    readonly inputs?: GraphProto['input'];
    readonly outputs?: GraphProto['output'];
    readonly constants?: readonly TensorProto[];
  } = {},
): GraphProto {
  return create(GraphProtoSchema, {
    name: 'graph',
    node: [...nodes],
    input: inputs,
    output: outputs,
    initializer: [...constants],
  });
}

export function modelOf(
  nodes: readonly NodeProto[],
  parts: Parameters<typeof graphOf>[1] = {},
): ModelProto & { graph: GraphProto } {
  const graph = graphOf(nodes, parts);
  const opsetImport = [
    { domain: '', version: 20n },
    { domain: 'com.microsoft', version: 1n },
  ];
  return Object.assign(create(ModelProtoSchema, { irVersion: 10n, opsetImport }), { graph });
}
