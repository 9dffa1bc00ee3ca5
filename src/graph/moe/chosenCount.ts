/**
 * Finds where a graph has k, the number of experts that a router chooses, as a constant: in the chooser, and in the code that
 * exporters write after it. Goes by data flow; if another k would be a guess, the graph is left as it is.
 */
import type { Builder } from '../builder.js';
import { type GraphProto, type NodeProto, int64s, node } from '../model.js';
import { type Walk, integerOf, integersOf, isConstant, usersOf } from '../walk.js';

/** One number in a constant that a node takes. */
export interface Use {
  readonly node: NodeProto;
  readonly input: number;
  /** All numbers of the constant, and which of them is k. */
  readonly values: readonly number[];
  readonly at: number;
  readonly scalar: boolean;
}

/** The parts of a graph that are written for k experts. */
export interface Uses {
  readonly constants: readonly Use[];
  /** Nodes whose third input numbers the pairs of token and expert from 0, and a value with one element per pair. */
  readonly counts: readonly { readonly node: NodeProto; readonly of: string }[];
  /** Nodes whose first input is a pair's place and should be that divided by k: for k = 1 exporters leave the division out. */
  readonly undivided: readonly NodeProto[];
}

/** The same in a graph that was prepared for another k. */
export interface Written {
  readonly constants: readonly { readonly name: string; readonly at: number }[];
  /** Output of the operator that contains the experts, which has k as an attribute. */
  readonly holder?: string;
}

/** Operators that leave numbers as they are. */
const same = new Set(['Cast', 'Identity']);

/** No exporter chains this many of them, but a corrupted graph may have a cycle. */
const deepest = 8;

/** Operators that keep the number of weights, and those that remove or repeat some. */
const keeps = new Set([
  ...same,
  'Softmax',
  'Sigmoid',
  'Mul',
  'Div',
  'Add',
  'Unsqueeze',
  'Squeeze',
  'Flatten',
  'Reshape',
]);
const cuts = new Set(['Slice', 'Split', 'Tile', 'Expand']);

/** @returns undefined if another k would be a guess */
export function usesOf(walk: Walk, chooser: NodeProto, holder: NodeProto | undefined): Uses | undefined {
  if (chooser === holder) return { constants: [], counts: [], undivided: [] };
  if (chooser.opType !== 'TopK') return undefined;
  const own = useAt(walk, chooser, 1);
  const k = own?.values[0];
  if (!own || k === undefined) return undefined;
  const constants = [own];
  const counts: Uses['counts'][number][] = [];
  const undivided: NodeProto[] = [];
  for (const [value, n] of readers(walk, chooser.output[1]!)) {
    if (follows(walk, n, value)) continue;
    const sorted = n.opType === 'Reshape' && isFlat(walk, n) ? sortedUses(walk, n.output[0]!, k) : undefined;
    if (!sorted) return undefined;
    constants.push(...sorted.constants);
    counts.push(...sorted.counts);
    undivided.push(...sorted.undivided);
  }
  return weightsFollow(walk, chooser) ? { constants, counts, undivided } : undefined;
}

/** Whether nothing between the chosen experts' weights and their use is cut or reshaped to a fixed number of them. */
function weightsFollow(walk: Walk, { output: [best, places] }: NodeProto): boolean {
  const gathered = usersOf(walk, places!).filter(({ opType }) => opType === 'GatherElements');
  const open = [best!, ...gathered.map(({ output }) => output[0]!)];
  const seen = new Set(open);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const n of usersOf(walk, name)) {
      if (cuts.has(n.opType) || (n.opType === 'Reshape' && isConstant(walk, n.input[1]) && !isFlat(walk, n)))
        return false;
      const next = n.output[0]!;
      if (keeps.has(n.opType) && !seen.has(next)) open.push(next);
      seen.add(next);
    }
  }
  return true;
}

/** Whether an operator that takes the indices of the chosen works for any number of them. */
function follows(walk: Walk, { opType, input }: NodeProto, places: string): boolean {
  switch (opType) {
    case 'Shape':
      return true;
    case 'GatherElements':
    case 'ScatterElements':
      return input[1] === places;
    case 'OneHot':
      return input[0] === places;
    // Compares them with one expert's index.
    case 'Equal':
      return integerOf(walk, input[input[0] === places ? 1 : 0]) !== undefined;
    default:
      return false;
  }
}

/**
 * The code of transformers: the T·k pairs of token and expert are sorted by expert; a pair's token is its place divided by k;
 * the experts' outputs are put back in the original order and summed over each token's k.
 */
function sortedUses(walk: Walk, pairs: string, k: number): Uses | undefined {
  const sorts = [...readers(walk, pairs)].map(([, n]) => n).filter(({ opType }) => opType !== 'Shape');
  const [sort] = sorts;
  if (sorts.length !== 1 || sort?.opType !== 'TopK') return undefined;
  const constants: Use[] = [];
  const undivided: NodeProto[] = [];
  let summed: Uses | undefined;
  for (const [order, n] of readers(walk, sort.output[1]!)) {
    if (n.opType === 'Div' || n.opType === 'Mod') {
      const use = n.input[0] === order ? useAt(walk, n, 1) : undefined;
      if (use?.values[0] !== k || use.values.length !== 1) return undefined;
      constants.push(use);
    } else if (n.opType === 'Unsqueeze') summed ??= sumOf(walk, order, n.output[0]!, k);
    else if (k === 1 && n.opType === 'Sub' && n.input[0] === order) undivided.push(n);
    else if (n.opType !== 'Less' && n.opType !== 'Shape') return undefined;
  }
  const isDivided = undivided.length > 0 || constants.some(({ node }) => node.opType === 'Div');
  return summed && isDivided ? { ...summed, constants: [...constants, ...summed.constants], undivided } : undefined;
}

/** Where outputs in the original order become [T, k, d], which is summed over k. @param index the sorted order, as an index */
function sumOf(walk: Walk, order: string, index: string, k: number): Uses | undefined {
  // The inverse permutation: each pair's place in the sorted order.
  const inverse = usersOf(walk, index).find((n) => n.opType === 'ScatterND' && n.input[1] === index);
  const range = walk.producers.get(inverse?.input[2] ?? '');
  if (!inverse || range?.opType !== 'Range' || integerOf(walk, range.input[0]) !== 0) return undefined;
  const [unsqueezed] = usersOf(walk, inverse.output[0]!);
  const [gathered] = usersOf(walk, unsqueezed?.output[0] ?? '');
  if (unsqueezed?.opType !== 'Unsqueeze' || gathered?.opType !== 'GatherND') return undefined;
  const [reshape, ...others] = usersOf(walk, gathered.output[0]!);
  if (reshape?.opType !== 'Reshape' || others.length > 0) return undefined;
  const use = useAt(walk, reshape, 1, 1);
  const sums = usersOf(walk, reshape.output[0]!).every(
    (n) => n.opType === 'ReduceSum' && [1, -2].includes(integerOf(walk, n.input[1]) ?? 0),
  );
  if (use?.values.length !== 3 || use.values[0] !== -1 || use.values[1] !== k || !sums) return undefined;
  return { constants: [use], counts: [{ node: inverse, of: order }], undivided: [] };
}

const isFlat = (walk: Walk, reshape: NodeProto): boolean => integerOf(walk, reshape.input[1]) === -1;

/** Nodes that take a value directly or after a cast, with the name under which they take it. */
function* readers(walk: Walk, value: string, depth = 0): Generator<readonly [name: string, NodeProto]> {
  for (const n of usersOf(walk, value)) {
    if (same.has(n.opType) && depth < deepest) yield* readers(walk, n.output[0]!, depth + 1);
    else yield [value, n];
  }
}

function useAt(walk: Walk, node: NodeProto, input: number, at = 0): Use | undefined {
  const told = integersOf(walk, node.input[input]);
  return told?.values[at] !== undefined ? { node, input, at, ...told } : undefined;
}

/**
 * Gives each use its own constant, in place: other nodes may use the old one for other reasons. Pairs are numbered by how
 * many there are. @param prefix of new names
 */
export function separate(
  builder: Builder,
  { constants, counts, undivided }: Uses,
  prefix: string,
): Written['constants'] {
  for (const [i, { node: counting, of }] of counts.entries()) {
    const own = (what: string) => `${prefix}.${what}.${i}`;
    builder.constant(int64s(own('from'), [0], true));
    builder.constant(int64s(own('step'), [1], true));
    builder.last(node('Size', [of], [own('size')]));
    builder.last(node('Range', [own('from'), own('size'), own('step')], [own('range')]));
    counting.input[2] = own('range');
  }
  const divisors = undivided.map((taking, i) => {
    const own = (what: string) => `${prefix}.${what}.${i}`;
    builder.constant(int64s(own('divisor'), [1], true));
    builder.last(node('Div', [taking.input[0]!, own('divisor')], [own('token')]));
    taking.input[0] = own('token');
    return { name: own('divisor'), at: 0 };
  });
  const others = constants.map(({ node: taking, input, values, at, scalar }, i) => {
    const name = `${prefix}.${i}`;
    builder.constant(int64s(name, values, scalar));
    taking.input[input] = name;
    return { name, at };
  });
  return [...divisors, ...others];
}

/** Makes a router choose k experts, in place. */
export function choose(graph: GraphProto, { constants, holder }: Written, k: number): void {
  for (const { name, at } of constants) {
    const tensor = graph.initializer.find((one) => one.name === name)!;
    // A copy, because a tensor that was read from a file is a view into the whole file.
    const values = Uint8Array.from(tensor.rawData);
    new DataView(values.buffer).setBigInt64(8 * at, BigInt(k), true);
    tensor.rawData = values;
  }
  const attribute = graph.node.find(({ output }) => holder !== undefined && output[0] === holder)?.attribute;
  const told = attribute?.find(({ name }) => name === 'k');
  if (told) told.i = BigInt(k);
  // Shapes may have been inferred for another k; onnxruntime infers them again.
  graph.valueInfo = [];
}
