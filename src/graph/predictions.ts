import { type Head, type Outputs, type Sizes, atOnce } from './atOnce.js';
import { inBlocks } from './blocks.js';
import {
  DataType,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  graphAttribute,
  int64s,
  node,
  opset,
  valueInfo,
} from './model.js';
import { names } from './route.js';
import { inSlices } from './slices.js';

/** P for every model that Gander runs. */
export const likeliest = 8;

/** Up to this many tokens, two 4-bit products are faster than unpacking an 8-bit head; at 64 it is the other way round (measured). */
const fewTokens = 32;

/**
 * Adds predictions to a graph with `logits`, in place: the log-probability of each target, the P likeliest tokens, and the
 * logits of the last position; `logits` itself is no longer an output.
 *
 * @param predictions P
 * @param eightBits the 8-bit products that were replaced by two 4-bit ones, by output name
 */
export function insertPredictions(
  model: ModelProto & { graph: GraphProto },
  predictions: number,
  eightBits: ReadonlyMap<string, NodeProto>,
): void {
  const { graph } = model;
  const sizes = { predictions, vocabulary: lastDimension(graph, 'logits'), version: opset(model) };
  const outputs = { logProb: names.logProb, top: names.topLogProb, ids: names.topIds, last: names.last };
  const head = cutHead(graph);
  const eightBit = head.products.length > 0 ? eightBits.get('logits') : undefined;
  const nodes = (eightBit && fewOrMany(graph, head, eightBit, sizes, outputs)) ?? inBlocks(graph, head, sizes, outputs);
  // Where the head was, not at the end: the routing's last output must stay last (route.ts).
  const at = graph.node.findIndex((n) => n.output.includes('logits')) + 1;
  const [before, after] = [graph.node.slice(0, at), graph.node.slice(at)];
  graph.node = [...before.filter((n) => !head.products.includes(n)), ...nodes, ...after];
  graph.input.push(valueInfo(names.targets, DataType.INT64, [1, 'gander.tokens', 1]));
  graph.output = [...graph.output.filter(({ name }) => name !== 'logits'), ...declared(outputs, sizes)];
}

/** Few tokens use the two 4-bit products, many use slices of the 8-bit one, if it can be sliced. */
function fewOrMany(
  graph: GraphProto,
  head: Head,
  eightBit: NodeProto,
  sizes: Sizes,
  outputs: Outputs,
): NodeProto[] | undefined {
  const [few, many] = [branch('few', outputs), branch('many', outputs)];
  const slices = inSlices(graph, eightBit, sizes, many);
  if (!slices) return undefined;
  const own = (what: string) => `gander.predictions.${what}`;
  graph.initializer.push(int64s(own('few'), [fewTokens], true));
  const { logProb, top, ids, last } = outputs;
  const choice = node('If', [own('is_many')], [logProb, top, ids, last]);
  choice.attribute.push(
    graphAttribute('then_branch', { name: own('many'), node: slices, output: declared(many, sizes) }),
    graphAttribute('else_branch', {
      name: own('few'),
      node: atOnce(head, head.input, names.targets, sizes, few),
      output: declared(few, sizes),
    }),
  );
  return [
    node('Size', [names.targets], [own('tokens')]),
    node('Greater', [own('tokens'), own('few')], [own('is_many')]),
    choice,
  ];
}

const branch = (name: string, { logProb, top, ids, last }: Outputs): Outputs => ({
  logProb: `${logProb}.${name}`,
  top: `${top}.${name}`,
  ids: `${ids}.${name}`,
  last: `${last}.${name}`,
});

const declared = ({ logProb, top, ids, last }: Outputs, { predictions }: Sizes) => [
  valueInfo(logProb, DataType.FLOAT, [1, 'gander.tokens', 1]),
  valueInfo(top, DataType.FLOAT, ['gander.tokens', predictions]),
  valueInfo(ids, DataType.INT64, ['gander.tokens', predictions]),
  valueInfo(last, DataType.FLOAT, [1, 'gander.vocabulary']),
];

/**
 * The nodes that compute logits from the last hidden states, and the name of those, [1, T, d]; if they are not plain
 * products, no nodes, and the logits themselves.
 */
function cutHead(graph: GraphProto): Head {
  const whole = { products: [], input: 'logits' };
  const makerOf = (name: string) => graph.node.find((n) => n.output.includes(name));
  const isUsed = (name: string) => graph.node.some((n) => n.input.includes(name));
  const maker = makerOf('logits');
  if (!maker || isUsed('logits')) return whole;
  // An 8-bit head is the sum of two products (halves.ts).
  const products = maker.opType === 'Add' ? maker.input.map(makerOf) : [maker];
  const input = products[0]?.input[0];
  const isPlain = products.every(
    (n) => n && (n.opType === 'MatMul' || n.opType === 'MatMulNBits') && n.input[0] === input,
  );
  return isPlain && input !== undefined
    ? { products: [...new Set([...(products as NodeProto[]), maker])], input }
    : whole;
}

/** Size of the last axis of one of the base's outputs, if it is declared. */
function lastDimension(graph: GraphProto, output: string): number | undefined {
  const type = graph.output.find(({ name }) => name === output)?.type?.value;
  const dimension = type?.case === 'tensorType' ? type.value.shape?.dim.at(-1)?.value : undefined;
  return dimension?.case === 'dimValue' ? Number(dimension.value) : undefined;
}
