/**
 * Where a graph has k written, the number of experts that a router chooses: in its chooser, and in code that exporters write
 * for what follows it. Found by what is computed; what is not known to follow from the choice alone is left as it is.
 */
import type { Builder } from '../builder.js';
import { type GraphProto, type NodeProto, int64s, node } from '../model.js';
import { type Walk, integerOf, integersOf, isConstant, usersOf } from '../walk.js';

/** One number of a constant that a node takes. */
export interface Use {
  readonly node: NodeProto;
  readonly input: number;
  /** All numbers of the constant, and which of them is k. */
  readonly values: readonly number[];
  readonly at: number;
  readonly scalar: boolean;
}

/** What of a graph is made for k experts. */
export interface Uses {
  readonly constants: readonly Use[];
  /** Nodes whose third input counts the pairs of token and expert from 0, and what is as long as these. */
  readonly counts: readonly { readonly node: NodeProto; readonly of: string }[];
  /** Nodes whose first input is a pair's place where it should be that over k: with a k of 1 an exporter leaves the division out. */
  readonly undivided: readonly NodeProto[];
}

/** The same in a graph that was made ready for another k. */
export interface Written {
  readonly constants: readonly { readonly name: string; readonly at: number }[];
  /** What the operator that holds the experts gives, whose attribute says k. */
  readonly holder?: string;
}

/** Operators through which numbers stay as they are. */
const same = new Set(['Cast', 'Identity']);

/** So many of them, one after another, no exporter writes; a graph that is spoilt may have a circle. */
const deepest = 8;

/** Operators that leave as many weights as there are, and those that take some of them out, or repeat them. */
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

/** @returns undefined where another k would be a guess */
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

/** Whether nothing between the weights of the chosen and what they are applied to is cut or shaped for a number of them. */
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

/** Whether an operator that takes the places of the chosen does so for as many as there are. */
function follows(walk: Walk, { opType, input }: NodeProto, places: string): boolean {
  switch (opType) {
    case 'Shape':
      return true;
    case 'GatherElements':
    case 'ScatterElements':
      return input[1] === places;
    case 'OneHot':
      return input[0] === places;
    // Which of them are one expert.
    case 'Equal':
      return integerOf(walk, input[input[0] === places ? 1 : 0]) !== undefined;
    default:
      return false;
  }
}

/**
 * transformers' code: pairs of token and expert, T k of them one after another, are sorted by expert; a pair's token is its
 * place over k; the experts' outputs are put back in their order and summed k by k.
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

/** Where outputs that are put back in their order become [T, k, d], of which k is summed. @param index the order, as an index */
function sumOf(walk: Walk, order: string, index: string, k: number): Uses | undefined {
  // A pair's place in the order, at the pair's own.
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

/** Nodes that take a value, and under which name, as it is or cast. */
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
 * Gives each use a constant of its own, in place: others may take the number for other reasons. Pairs are counted by how many
 * there are. @param prefix of new names
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
    // Of a file it is a view of all of it.
    const values = Uint8Array.from(tensor.rawData);
    new DataView(values.buffer).setBigInt64(8 * at, BigInt(k), true);
    tensor.rawData = values;
  }
  const attribute = graph.node.find(({ output }) => holder !== undefined && output[0] === holder)?.attribute;
  const told = attribute?.find(({ name }) => name === 'k');
  if (told) told.i = BigInt(k);
  // They may have been worked out for another k; onnxruntime works them out anew.
  graph.valueInfo = [];
}
