/** Which node produces a value, which nodes use it, and the values of constants. */
import { type GraphProto, type NodeProto, type TensorProto, TensorProto_DataType as DataType } from './onnx_pb.js';
import { type Index, type Product, indexOf, productsOf } from './products.js';

export interface Walk extends Index {
  readonly users: ReadonlyMap<string, readonly NodeProto[]>;
  /** By output name. */
  readonly products: ReadonlyMap<string, Product>;
}

type Constants = Pick<Index, 'producers' | 'initializers'>;

export function walkOf(graph: GraphProto): Walk {
  const index = indexOf(graph);
  const users = new Map<string, NodeProto[]>();
  for (const n of graph.node) {
    for (const name of new Set(n.input)) {
      const known = users.get(name);
      if (known) known.push(n);
      else users.set(name, [n]);
    }
  }
  const products = new Map(productsOf(graph, index).map((product) => [product.output, product]));
  return { ...index, users, products };
}

export function usersOf({ users }: Walk, value: string): readonly NodeProto[] {
  return users.get(value) ?? [];
}

/** The tensor of a constant value. */
function constantOf({ initializers, producers }: Constants, value: string | undefined): TensorProto | undefined {
  if (!value) return undefined;
  const n = producers.get(value);
  return initializers.get(value) ?? (n?.opType === 'Constant' ? attributeTensor(n) : undefined);
}

export function isConstant(walk: Walk, value: string | undefined): boolean {
  return !!value && (walk.initializers.has(value) || walk.producers.get(value)?.opType === 'Constant');
}

/** The integer of a constant that is a single one. */
export function integerOf(walk: Walk, value: string | undefined): number | undefined {
  const values = integersOf(walk, value)?.values;
  return values?.length === 1 ? values[0] : undefined;
}

/** The number of a constant that is a single float. */
export function floatOf(walk: Constants, value: string | undefined): number | undefined {
  const told = value ? walk.producers.get(value)?.attribute.find(({ name }) => name === 'value_float') : undefined;
  if (told) return told.f;
  const tensor = constantOf(walk, value);
  if (tensor?.dataType !== (DataType.FLOAT as number) || tensor.dims.some((d) => d !== 1n)) return undefined;
  const { floatData, rawData } = tensor;
  if (floatData.length === 1) return floatData[0];
  return rawData.length === 4 ? new DataView(rawData.buffer, rawData.byteOffset, 4).getFloat32(0, true) : undefined;
}

interface Told {
  readonly values: readonly number[];
  readonly scalar: boolean;
}

/** The integers of a constant: one, or a list of them. */
export function integersOf(index: Constants, value: string | undefined): Told | undefined {
  const told = value ? index.producers.get(value)?.attribute.find(({ name }) => /^value_ints?$/.test(name)) : undefined;
  if (told) {
    const scalar = told.name === 'value_int';
    return { values: scalar ? [Number(told.i)] : told.ints.map(Number), scalar };
  }
  const tensor = constantOf(index, value);
  return tensor && integersIn(tensor);
}

/** The same for a tensor. */
export function integersIn(tensor: TensorProto): Told | undefined {
  if (tensor.dataType !== (DataType.INT64 as number) || tensor.dims.length > 1) return undefined;
  const count = Number(tensor.dims[0] ?? 1n);
  const { int64Data, rawData } = tensor;
  const scalar = tensor.dims.length === 0;
  if (int64Data.length === count) return { values: int64Data.map(Number), scalar };
  if (rawData.length !== 8 * count) return undefined;
  const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
  return { values: Array.from({ length: count }, (_, i) => Number(view.getBigInt64(8 * i, true))), scalar };
}

function attributeTensor(n: NodeProto): TensorProto | undefined {
  return n.attribute.find(({ name }) => name === 'value')?.t;
}
