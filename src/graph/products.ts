import { intAttribute } from './model.js';
import type { GraphProto, NodeProto, TensorProto } from './onnx_pb.js';

/** One multiplication by a weight: a linear layer in a graph. */
export interface Product {
  readonly node: NodeProto;
  /** Name of its input u, before any Reshape that only a Gemm needs: modules with the same input share a group. */
  readonly input: string;
  /** Name of its output. */
  readonly output: string;
  readonly dIn: number;
  readonly dOut: number;
  /** Name of the weight's initializer or constant. */
  readonly weight: string;
  /** Whether the weight is stored as [dOut, dIn]. */
  readonly flipped: boolean;
  /** Whether its output has two axes, [T, dOut], instead of three: a Gemm, or a MatMul of such an input. */
  readonly flat: boolean;
  /** Name of the bias that the node itself adds, which is not part of W u. */
  readonly bias?: string;
}

/** A graph's values by name. */
export interface Index {
  readonly producers: ReadonlyMap<string, NodeProto>;
  readonly initializers: ReadonlyMap<string, TensorProto>;
  /** Axes of values whose shape is declared. */
  readonly axes: ReadonlyMap<string, number>;
}

export function indexOf(graph: GraphProto): Index {
  return {
    producers: new Map(graph.node.flatMap((n) => n.output.filter(Boolean).map((output) => [output, n]))),
    initializers: new Map(graph.initializer.map((t) => [t.name, t])),
    axes: new Map(
      [...graph.input, ...graph.valueInfo, ...graph.output].flatMap(({ name, type }) => {
        const shape = type?.value.case === 'tensorType' ? type.value.value.shape : undefined;
        return shape ? [[name, shape.dim.length]] : [];
      }),
    ),
  };
}

/** Operators that multiply by a weight in float arithmetic and at most add a bias. */
const multipliers = new Set(['MatMul', 'Gemm', 'FusedMatMul', 'MatMulNBits']);

/** Operators that may stand between a weight and its product. */
const passers = new Set(['Transpose', 'DequantizeLinear', 'Cast', 'Identity']);

/** Every product of the graph, in its order. */
export function productsOf(graph: GraphProto, index: Index): Product[] {
  return graph.node.flatMap((n) => productOf(n, index) ?? []);
}

function productOf(n: NodeProto, index: Index): Product | undefined {
  if (!multipliers.has(n.opType) || !isPlain(n)) return undefined;
  const found = weightOf(n, index);
  const raw = n.input[0];
  if (!found || !raw || !n.output[0]) return undefined;
  const reshape = n.opType === 'Gemm' ? index.producers.get(raw) : undefined;
  const input = reshape?.opType === 'Reshape' && reshape.input[0] ? reshape.input[0] : raw;
  const bias = n.opType === 'Gemm' ? n.input[2] : n.opType === 'MatMulNBits' ? n.input[5] : undefined;
  const flat = n.opType === 'Gemm' || axesOf(raw, index) === 2;
  return { node: n, input, output: n.output[0], flat, ...found, ...(bias && { bias }) };
}

/** How many axes a value has, if a nearby node shows it. */
function axesOf(value: string, index: Index): number | undefined {
  const { producers, initializers, axes } = index;
  let name = value;
  for (let steps = 0; steps < 32; steps++) {
    const told = axes.get(name);
    if (told !== undefined) return told;
    const n = producers.get(name);
    if (n?.opType === 'Gemm') return 2;
    if (n?.opType === 'Reshape') return lengthOf(n.input[1] ?? '', index);
    if (!n || !keepers.has(n.opType)) return undefined;
    // A weight or a number beside the activation has no more axes than the activation.
    name = n.input.find((input) => !initializers.has(input) && producers.get(input)?.opType !== 'Constant') ?? '';
  }
  return undefined;
}

/** Operators whose output has as many axes as their input. */
const keepers = new Set([
  ...['Add', 'Sub', 'Mul', 'Div', 'Cast', 'Identity', 'Relu', 'Sigmoid', 'Tanh', 'Erf', 'Gelu', 'FastGelu', 'BiasGelu'],
  ...['QuickGelu', 'Softmax', 'Pow', 'Sqrt', 'LayerNormalization', 'SimplifiedLayerNormalization', 'RMSNormalization'],
  ...['SkipLayerNormalization', 'SkipSimplifiedLayerNormalization', 'MatMul', 'FusedMatMul', 'MatMulNBits'],
]);

/** How many numbers a list has, such as the shape that a Reshape takes. A damaged graph may make a list of itself, hence `most`. */
function lengthOf(value: string, index: Index, most = 8): number | undefined {
  const { producers, initializers } = index;
  const n = producers.get(value);
  const dims = initializers.get(value)?.dims ?? constantDims(n);
  if (dims) return dims.length === 1 ? Number(dims[0]) : undefined;
  if (n?.opType === 'Unsqueeze') return 1;
  if (n?.opType !== 'Concat' || most === 0) return undefined;
  const lengths = n.input.map((input) => lengthOf(input, index, most - 1));
  return lengths.every((length) => length !== undefined) ? lengths.reduce((sum, length) => sum + length, 0) : undefined;
}

/** Whether it computes exactly u·W: no factor, and u not transposed. */
function isPlain(n: NodeProto): boolean {
  const factor = (name: string) => n.attribute.find((a) => a.name === name)?.f ?? 1;
  const turned = ['transA', 'transBatchA', 'transBatchB'].some((name) => (intAttribute(n, name) ?? 0) !== 0);
  return !turned && factor('alpha') === 1 && factor('beta') === 1;
}

/** Undefined for a product of two activations. */
function weightOf(
  n: NodeProto,
  { producers, initializers }: Index,
): Pick<Product, 'weight' | 'flipped' | 'dIn' | 'dOut'> | undefined {
  let flipped = n.opType !== 'MatMulNBits' && intAttribute(n, 'transB') === 1;
  let name = n.input[1];
  for (let steps = 0; name !== undefined && steps < 4; steps++) {
    const producer = producers.get(name);
    const dims = initializers.get(name)?.dims ?? constantDims(producer);
    if (dims) {
      const sizes =
        n.opType === 'MatMulNBits' ? [intAttribute(n, 'K') ?? 0, intAttribute(n, 'N') ?? 0] : dims.map(Number);
      const [rows, columns] = sizes;
      if (sizes.length !== 2 || !rows || !columns) return undefined;
      return { weight: name, flipped, dIn: flipped ? columns : rows, dOut: flipped ? rows : columns };
    }
    if (!producer || !passers.has(producer.opType)) return undefined;
    if (producer.opType === 'Transpose') flipped = !flipped;
    name = producer.input[0];
  }
  return undefined;
}

function constantDims(n: NodeProto | undefined): bigint[] | undefined {
  return n?.opType === 'Constant' ? n.attribute.find((a) => a.name === 'value')?.t?.dims : undefined;
}
