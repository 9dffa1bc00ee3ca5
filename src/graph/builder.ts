import { DataType, type GraphProto, type NodeProto, floats, int64s, node, reduceLast, valueInfo } from './model.js';

/** The names of the axes T and k. */
export const tokens = 'gander.tokens';
export const width = 'gander.width';

/** Collects new nodes and inserts them in an order that ONNX allows: each value before its use. */
export class Builder {
  readonly #first: NodeProto[] = [];
  readonly #last: NodeProto[] = [];
  readonly #before = new Map<NodeProto, NodeProto[]>();
  readonly #after = new Map<NodeProto, NodeProto[]>();
  readonly #shared = new Set<string>();

  constructor(
    readonly graph: GraphProto,
    readonly version: number,
  ) {}

  input(name: string, type: DataType, dims: readonly (number | string)[]): void {
    this.graph.input.push(valueInfo(name, type, dims));
  }

  output(name: string, type: DataType, dims: readonly (number | string)[]): void {
    this.graph.output.push(valueInfo(name, type, dims));
  }

  constant(tensor: Parameters<GraphProto['initializer']['push']>[0]): void {
    this.graph.initializer.push(tensor);
  }

  /** Declares a constant of integers, shared by all that need the same one; returns its name. */
  shape(values: readonly number[]): string {
    const name = `gander.ints.${values.join('_')}`;
    if (!this.#shared.has(name)) this.constant(int64s(name, values));
    this.#shared.add(name);
    return name;
  }

  ones(count: number): string {
    const name = `gander.ones.${count}`;
    if (!this.#shared.has(name)) this.constant(floats(name, [count], new Float32Array(count).fill(1)));
    this.#shared.add(name);
    return name;
  }

  /** [count] int64 */
  zeros(count: number): string {
    const name = `gander.zeros.${count}`;
    if (!this.#shared.has(name)) this.constant(int64s(name, new Array<number>(count).fill(0)));
    this.#shared.add(name);
    return name;
  }

  reduce(opType: string, input: string, output: string): NodeProto {
    return reduceLast(opType, input, output, this.shape([-1]), this.version);
  }

  /** Adds `updates` to `data` at `indices` of the last axis; before operator set 16 this takes three operators. */
  scatterAdd(data: string, indices: string, updates: string, output: string): NodeProto[] {
    if (this.version >= 16)
      return [node('ScatterElements', [data, indices, updates], [output], { axis: -1, reduction: 'add' })];
    return [
      node('GatherElements', [data, indices], [`${output}.there`], { axis: -1 }),
      node('Add', [`${output}.there`, updates], [`${output}.sum`]),
      node('ScatterElements', [data, indices, `${output}.sum`], [output], { axis: -1 }),
    ];
  }

  /**
   * Declares shapes of intermediate values. Without them onnxruntime's planner recognises no two shapes as equal: it reuses
   * no memory, and for every node searches the growing list of buffers that it could not reuse (5 s for a graph that loads in 1).
   */
  declare(shapes: Readonly<Record<string, readonly (number | string)[]>>, type = DataType.FLOAT): void {
    for (const [name, dims] of Object.entries(shapes)) this.graph.valueInfo.push(valueInfo(name, type, dims));
  }

  first(n: NodeProto): void {
    this.#first.push(n);
  }

  last(n: NodeProto): void {
    this.#last.push(n);
  }

  /** Inserts nodes before whichever of `targets` comes first. */
  before(targets: readonly NodeProto[], nodes: readonly NodeProto[]): void {
    const among = new Set(targets);
    const target = this.graph.node.find((candidate) => among.has(candidate))!;
    this.#before.set(target, [...(this.#before.get(target) ?? []), ...nodes]);
  }

  after(target: NodeProto, nodes: readonly NodeProto[]): void {
    this.#after.set(target, [...(this.#after.get(target) ?? []), ...nodes]);
  }

  finish(): void {
    this.graph.node = inOrder([
      ...this.#first,
      ...this.graph.node.flatMap((n) => [...(this.#before.get(n) ?? []), n, ...(this.#after.get(n) ?? [])]),
      ...this.#last,
    ]);
  }
}

/** Moves a node only if it precedes one that produces its inputs, as what follows one of several joined products may. */
function inOrder(nodes: readonly NodeProto[]): NodeProto[] {
  const awaited = new Set(nodes.flatMap((n) => n.output));
  awaited.delete('');
  const waiting = new Map<string, NodeProto[]>();
  const ordered: NodeProto[] = [];
  for (const next of nodes) {
    const open = [next];
    for (let n = open.pop(); n; n = open.pop()) {
      const missing = needsOf(n).find((name) => awaited.has(name));
      if (missing !== undefined) {
        const others = waiting.get(missing);
        if (others) others.push(n);
        else waiting.set(missing, [n]);
        continue;
      }
      ordered.push(n);
      for (const output of n.output) {
        awaited.delete(output);
        open.push(...(waiting.get(output) ?? []).reverse());
        waiting.delete(output);
      }
    }
  }
  // A cycle is left for onnxruntime to refuse.
  return ordered.length === nodes.length ? ordered : [...nodes];
}

/** Values that a node takes, including those taken inside its nested graphs. */
export function needsOf(n: NodeProto): string[] {
  const nested = n.attribute.flatMap(({ g, graphs }) => (g ? [g, ...graphs] : graphs));
  return [...n.input, ...nested.flatMap((graph) => graph.node.flatMap(needsOf))];
}
