/** ONNX as data: small builders over the generated protobuf types. Bytes in, bytes out; no file is touched here. */
import { type MessageInitShape, create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { GanderError } from '../errors/errors.js';
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './onnx_pb.js';

export { TensorProto_DataType as DataType } from './onnx_pb.js';
export type { GraphProto, ModelProto, NodeProto, TensorProto } from './onnx_pb.js';

/** Large tensors stay views into `bytes`: do not change it afterwards. @throws GanderError `base-invalid` */
export function parseModel(bytes: Uint8Array): ModelProto & { graph: GraphProto } {
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    throw new GanderError(
      'base-invalid',
      'The base model is not an ONNX file.',
      'Fetch the pool again, or export the base again.',
      { cause },
    );
  }
  if (!model.graph || model.graph.node.length === 0) {
    throw new GanderError(
      'base-invalid',
      'The base model contains no graph.',
      'Fetch the pool again, or export the base again.',
    );
  }
  return model as ModelProto & { graph: GraphProto };
}

export function invalidBase(message: string, remedy: string): GanderError {
  return new GanderError('base-invalid', `${message}.`, remedy);
}

export function writeModel(model: ModelProto): Uint8Array {
  return toBinary(ModelProtoSchema, model);
}

/** The version of the standard operators that the model was written for. */
export function opset(model: ModelProto): number {
  return Number(model.opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version ?? 0n);
}

type Attribute = number | { readonly float: number } | string | readonly number[];

export function node(
  opType: string,
  input: string[],
  output: string[],
  attributes: Record<string, Attribute> = {},
): NodeProto {
  const attribute = Object.entries(attributes).map(([name, value]) => {
    if (typeof value === 'number')
      return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.INT, i: BigInt(value) });
    if (typeof value === 'string')
      return create(AttributeProtoSchema, {
        name,
        type: AttributeProto_AttributeType.STRING,
        s: new TextEncoder().encode(value),
      });
    if (Array.isArray(value))
      return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.INTS, ints: value.map(BigInt) });
    return create(AttributeProtoSchema, {
      name,
      type: AttributeProto_AttributeType.FLOAT,
      f: (value as { float: number }).float,
    });
  });
  return create(NodeProtoSchema, {
    opType,
    name: `/gander/${output.find((name) => name) ?? opType}`,
    input,
    output,
    attribute,
  });
}

/**
 * A reduction that removes the last axis. Axes became an input with operator set 18.
 *
 * @param axis name of a constant [-1]
 * @param version of the standard operators
 */
export function reduceLast(opType: string, input: string, output: string, axis: string, version: number): NodeProto {
  return version >= 18
    ? node(opType, [input, axis], [output], { keepdims: 0 })
    : node(opType, [input], [output], { axes: [-1], keepdims: 0 });
}

/** A graph inside a node: the body of a loop. */
export function graphAttribute(name: string, g: MessageInitShape<typeof GraphProtoSchema>): AttributeProto {
  return create(AttributeProtoSchema, {
    name,
    type: AttributeProto_AttributeType.GRAPH,
    g: create(GraphProtoSchema, g),
  });
}

export function int64s(name: string, values: readonly number[], scalar = false): TensorProto {
  const data = BigInt64Array.from(values, BigInt);
  return create(TensorProtoSchema, {
    name,
    dataType: TensorProto_DataType.INT64,
    dims: scalar ? [] : [BigInt(values.length)],
    rawData: new Uint8Array(data.buffer),
  });
}

export function floats(name: string, dims: readonly number[], values: Float32Array): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: TensorProto_DataType.FLOAT,
    dims: dims.map(BigInt),
    rawData: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  });
}

/** A tensor whose data is in a file beside the model. @param length in bytes */
export function externalTensor(
  name: string,
  dataType: TensorProto_DataType,
  dims: readonly bigint[],
  location: string,
  offset: number,
  length: number,
): TensorProto {
  const tensor = create(TensorProtoSchema, { name, dataType, dims: [...dims] });
  setExternal(tensor, location, offset, length);
  return tensor;
}

/** The same for float32. */
export function externalFloats(name: string, dims: readonly number[], location: string, offset: number): TensorProto {
  const length = 4 * dims.reduce((product, n) => product * n, 1);
  return externalTensor(name, TensorProto_DataType.FLOAT, dims.map(BigInt), location, offset, length);
}

/** Stores the numbers inside the model file. */
export function setInternal(tensor: TensorProto, values: Float32Array): void {
  tensor.dataType = TensorProto_DataType.FLOAT;
  tensor.dataLocation = TensorProto_DataLocation.DEFAULT;
  tensor.externalData = [];
  tensor.int32Data = [];
  tensor.rawData = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

export function setExternal(tensor: TensorProto, location: string, offset: number, length: number): void {
  tensor.dataLocation = TensorProto_DataLocation.EXTERNAL;
  tensor.rawData = new Uint8Array();
  tensor.externalData = Object.entries({ location, offset: String(offset), length: String(length) }).map(
    ([key, value]) => ({ $typeName: 'onnx.StringStringEntryProto', key, value }),
  );
}

/** Dimensions: a number, or a name for one that is known only at run time. */
export function valueInfo(
  name: string,
  elemType: TensorProto_DataType,
  dims: readonly (number | string)[],
): ValueInfoProto {
  return create(ValueInfoProtoSchema, {
    name,
    type: {
      value: {
        case: 'tensorType',
        value: {
          elemType,
          shape: {
            dim: dims.map((d) => ({
              value:
                typeof d === 'number'
                  ? { case: 'dimValue' as const, value: BigInt(d) }
                  : { case: 'dimParam' as const, value: d },
            })),
          },
        },
      },
    },
  });
}

/** An integer attribute, or undefined. */
export function intAttribute(of: NodeProto, name: string): number | undefined {
  const found = of.attribute.find((a) => a.name === name);
  return found ? Number(found.i) : undefined;
}

/** Every tensor of a graph: initializers, constants of nodes, and those of nested graphs. */
export function* tensorsOf(graph: GraphProto): Generator<TensorProto> {
  yield* graph.initializer;
  for (const sparse of graph.sparseInitializer) {
    if (sparse.values) yield sparse.values;
    if (sparse.indices) yield sparse.indices;
  }
  yield* tensorsOfNodes(graph.node);
}

export function* tensorsOfNodes(nodes: readonly NodeProto[]): Generator<TensorProto> {
  for (const { attribute } of nodes) {
    for (const { t, tensors, g, graphs, sparseTensor, sparseTensors } of attribute) {
      if (t) yield t;
      yield* tensors;
      for (const sparse of [...(sparseTensor ? [sparseTensor] : []), ...sparseTensors]) {
        if (sparse.values) yield sparse.values;
        if (sparse.indices) yield sparse.indices;
      }
      for (const nested of g ? [g, ...graphs] : graphs) yield* tensorsOf(nested);
    }
  }
}

/** Where an external tensor declares its data to be; undefined for a tensor whose data is in the model file. */
export function externalOf(
  tensor: TensorProto,
): { location: string; offset: number; length: number | undefined } | undefined {
  if (tensor.dataLocation !== TensorProto_DataLocation.EXTERNAL) return undefined;
  const entry = (key: string) => tensor.externalData.find((e) => e.key === key)?.value;
  const length = entry('length');
  return {
    location: entry('location') ?? '',
    offset: Number(entry('offset') ?? 0),
    length: length === undefined ? undefined : Number(length),
  };
}

/** Bits per number. */
const bits: Readonly<Record<number, number>> = {
  [TensorProto_DataType.FLOAT]: 32,
  [TensorProto_DataType.DOUBLE]: 64,
  [TensorProto_DataType.FLOAT16]: 16,
  [TensorProto_DataType.BFLOAT16]: 16,
  [TensorProto_DataType.INT64]: 64,
  [TensorProto_DataType.UINT64]: 64,
  [TensorProto_DataType.INT32]: 32,
  [TensorProto_DataType.UINT32]: 32,
  [TensorProto_DataType.INT16]: 16,
  [TensorProto_DataType.UINT16]: 16,
  [TensorProto_DataType.INT8]: 8,
  [TensorProto_DataType.UINT8]: 8,
  [TensorProto_DataType.BOOL]: 8,
  [TensorProto_DataType.INT4]: 4,
  [TensorProto_DataType.UINT4]: 4,
};

/**
 * Whether a tensor has as many numbers as its dimensions say, so that a false declaration alone cannot make anyone allocate
 * memory.
 *
 * @param external bytes of its data in another file, if it is there
 */
export function holdsWhatItDeclares(tensor: TensorProto, external?: number): boolean {
  const width = bits[tensor.dataType];
  // Strings, and types newer than this list, are left for onnxruntime to check.
  if (width === undefined) return external === undefined;
  if (tensor.dims.some((d) => d < 0n)) return false;
  const elements = tensor.dims.reduce((product, d) => product * d, 1n);
  const bytes = (elements * BigInt(width) + 7n) / 8n;
  if (external !== undefined) return bytes === BigInt(external);
  if (tensor.rawData.length > 0) return bytes === BigInt(tensor.rawData.length);
  const listed = Math.max(
    tensor.floatData.length,
    tensor.int32Data.length,
    tensor.int64Data.length,
    tensor.doubleData.length,
    tensor.uint64Data.length,
  );
  return elements === BigInt(listed) || (width === 4 && (elements + 1n) / 2n === BigInt(listed));
}
