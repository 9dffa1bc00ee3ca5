/**
 * The batch is always 1, and the routing works on [T, d]. What a base computes of each token by itself is computed without the
 * batch's axis, too: so nothing is reshaped between two routed modules. Results stay the same to the bit.
 */
import { tokens } from './builder.js';
import { shapeInput } from './foldShapes.js';
import { inputDims } from './inputDims.js';
import { Integers } from './integers.js';
import { DataType, type GraphProto, type NodeProto, intAttribute, node, valueInfo } from './model.js';
import { type Dims, Shapes } from './shapes.js';
import { removeUnused } from './unused.js';

/** Operators that compute each number of their output from one of each input. */
const elementwise = new Set([
  ...['Abs', 'Add', 'Cast', 'Div', 'Erf', 'Exp', 'Gelu', 'Mul', 'Neg', 'Pow', 'QuickGelu', 'Reciprocal', 'Relu'],
  ...['Sigmoid', 'Softplus', 'Sqrt', 'Sub', 'Tanh'],
]);

/** Operators that compute each row of their output from one row of their first input. */
const rowwise = new Set([
  ...['LayerNormalization', 'MatMul', 'MatMulNBits', 'ReduceMean', 'RMSNormalization', 'SimplifiedLayerNormalization'],
]);

/** @param graph changed in place */
export function dropBatch(graph: GraphProto): void {
  const shapes = new Shapes(graph, inputDims(graph));
  const constants = new Integers(graph);
  /** By values [1, T, d]: the same numbers as [T, d]. */
  const flat = new Map<string, string>();
  const instead = new Map<string, string>();
  /** What a Reshape gets, by what it gives. */
  const reshaped = new Map<string, string>();
  const nodes: NodeProto[] = [];
  const reshape = (from: string, to: string, shape: readonly number[]) =>
    nodes.push(node('Reshape', [from, constants.name(shape, false)], [to]));
  const flattened = (name: string) => {
    const known = flat.get(name);
    const width = widthOf(shapes.dims(name));
    if (known !== undefined || width === undefined) return known ?? name;
    const rows = `${name}.rows`;
    reshape(name, rows, [-1, width]);
    graph.valueInfo.push(valueInfo(rows, DataType.FLOAT, [tokens, width]));
    flat.set(name, rows);
    return rows;
  };
  for (const n of graph.node) {
    shapes.visit(n);
    n.input = n.input.map((name) => instead.get(name) ?? name);
    const [first, output] = [n.input[0]!, n.output[0]!];
    const [from, to] = [shapes.dims(first), shapes.dims(output)];
    if (n.opType === 'Reshape') {
      const rows = flat.get(first);
      const shape = shapeInput('Reshape', from, to);
      if (rows !== undefined && to?.length === 2 && to[1]!.key === from?.[2]?.key) instead.set(output, rows);
      if (from?.length === 2 && widthOf(to) !== undefined && to![2]!.key === from[1]!.key) flat.set(output, first);
      // Of two in a row only the last counts.
      if (shape) n.input = [rows ?? reshaped.get(first) ?? first, constants.name(shape, false)];
      reshaped.set(output, n.input[0]!);
    } else if (isOfRows(n, shapes) && n.input.some((name) => flat.has(name))) {
      const rows = `${output}.rows`;
      n.input = n.input.map(flattened);
      n.output = [rows];
      nodes.push(n);
      graph.valueInfo.push(valueInfo(rows, DataType.FLOAT, [tokens, widthOf(to)!]));
      flat.set(output, rows);
      reshape(rows, output, [1, -1, widthOf(to)!]);
      continue;
    }
    nodes.push(n);
  }
  graph.node = nodes;
  removeUnused(graph);
}

/** d of a value [1, T, d]. */
function widthOf(dims: Dims | undefined): number | undefined {
  const [batch, , width] = dims?.length === 3 ? dims : [];
  return batch?.key === '1' && width?.isConstant ? width.constant : undefined;
}

/** Whether a node computes [1, T, d] such that without the first axis it computes the same. */
function isOfRows(n: NodeProto, shapes: Shapes): boolean {
  if (n.output.filter(Boolean).length > 1 || widthOf(shapes.dims(n.output[0])) === undefined) return false;
  const isRows = (name: string) => widthOf(shapes.dims(name)) !== undefined;
  const hasFewAxes = (name: string, most: number) => (shapes.dims(name)?.length ?? Infinity) <= most;
  if (elementwise.has(n.opType)) return n.input.every((name) => isRows(name) || hasFewAxes(name, 1));
  if (!rowwise.has(n.opType) || !isRows(n.input[0]!) || !n.input.slice(1).every((name) => !isRows(name))) return false;
  if (n.opType === 'MatMul') return shapes.dims(n.input[1])?.length === 2;
  if (n.opType === 'MatMulNBits') return true;
  if (n.opType === 'ReduceMean') return intAttribute(n, 'keepdims') !== 0 && shapes.axes(n)?.join() === '-1';
  return (intAttribute(n, 'axis') ?? -1) === -1;
}
