/** Which node gives a value, which nodes take it, and what constants are. */
import type { GraphProto, NodeProto, TensorProto } from './onnx_pb.js';
import { type Index, type Product, indexOf, productsOf } from './products.js';

export interface Walk extends Index {
  readonly users: ReadonlyMap<string, readonly NodeProto[]>;
  /** By what they give. */
  readonly products: ReadonlyMap<string, Product>;
}

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

/** The tensor that a value always is. */
export function constantOf({ initializers, producers }: Walk, value: string | undefined): TensorProto | undefined {
  if (!value) return undefined;
  const n = producers.get(value);
  return initializers.get(value) ?? (n?.opType === 'Constant' ? attributeTensor(n) : undefined);
}

export function isConstant(walk: Walk, value: string | undefined): boolean {
  return !!value && (walk.initializers.has(value) || walk.producers.get(value)?.opType === 'Constant');
}

/** The one integer that a value always is. */
export function integerOf(walk: Walk, value: string | undefined): number | undefined {
  const told = value ? walk.producers.get(value)?.attribute.find(({ name }) => /^value_ints?$/.test(name)) : undefined;
  if (told) return told.ints.length === 1 ? Number(told.ints[0]) : told.ints.length === 0 ? Number(told.i) : undefined;
  const tensor = constantOf(walk, value);
  if (tensor?.dims.reduce((product, d) => product * d, 1n) !== 1n) return undefined;
  if (tensor.int64Data.length === 1) return Number(tensor.int64Data[0]);
  const { rawData } = tensor;
  return rawData.length === 8
    ? Number(new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength).getBigInt64(0, true))
    : undefined;
}

function attributeTensor(n: NodeProto): TensorProto | undefined {
  return n.attribute.find(({ name }) => name === 'value')?.t;
}
