import {
  DataType,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  floats,
  graphAttribute,
  int64s,
  node,
  opset,
  valueInfo,
} from './model.js';
import { names } from './route.js';

/**
 * Tokens whose logits exist at one time. The [T, V] logits of a whole chunk, and what is made of them, would be most of
 * a run's memory; blocks much smaller than this would unpack the head's weights too often.
 */
const tokensAtOnce = 64;

/** Tokens of a vocabulary that are looked at together. */
const lane = 128;

const own = (what: string) => `gander.block.${what}`;

/**
 * Puts what is said of the next tokens into a graph with `logits`, in place: the log-probability of each target, the P
 * likeliest tokens, and the logits of the last position; `logits` itself is no output any more.
 *
 * The head moves into a loop over n = ⌈T / 64⌉ blocks of b = ⌈T / n⌉ tokens, the last one filled up with copies of the
 * last token, so that [T, V] never exists.
 *
 * @param predictions P
 */
export function insertPredictions(model: ModelProto & { graph: GraphProto }, predictions: number): void {
  const { graph } = model;
  const { head, input } = cutHead(graph);
  const body = [
    node('Mul', [own('i'), own('size')], [own('start')]),
    node('Add', [own('start'), own('size')], [own('end')]),
    node('Range', [own('start'), own('end'), own('1')], [own('range')]),
    node('Min', [own('range'), own('final')], [own('rows')]),
    node('Gather', [input, own('rows')], [own('input')], { axis: 1 }),
    node('Gather', [names.targets, own('rows')], [own('targets')], { axis: 1 }),
    ...head.map((n) => ({ ...n, input: n.input.map((name) => (name === input ? own('input') : name)) })),
  ];
  const logits = input === 'logits' ? own('input') : 'logits';
  body.push(
    node('LogSoftmax', [logits], [own('log_softmax')], { axis: -1 }),
    node('GatherElements', [own('log_softmax'), own('targets')], [own('log_prob')], { axis: -1 }),
    ...likeliest(lastDimension(graph, 'logits'), predictions, opset(model)),
    node('Gather', [logits, own('-1')], [own('last')], { axis: 1 }),
    node('Identity', [own('more')], [own('more.out')]),
  );
  const any = (name: string, type: DataType, rank: number) =>
    valueInfo(
      own(name),
      type,
      Array.from({ length: rank }, (_, i) => own(`${name}.${i}`)),
    );
  const loop = node(
    'Loop',
    [own('count'), '', own('none')],
    [names.last, ...['log_prob', 'top', 'ids'].map((what) => own(`${what}.all`))],
  );
  loop.attribute.push(
    graphAttribute('body', {
      name: 'gander.block',
      node: body,
      input: [any('i', DataType.INT64, 0), any('more', DataType.BOOL, 0), any('before', DataType.FLOAT, 2)],
      output: [
        any('more.out', DataType.BOOL, 0),
        any('last', DataType.FLOAT, 2),
        any('log_prob', DataType.FLOAT, 3),
        any('top', DataType.FLOAT, 2),
        any('ids', DataType.INT64, 2),
      ],
    }),
  );
  graph.initializer.push(
    floats(own('none'), [1, 1], new Float32Array(1)),
    ...[-1, 1, lane, tokensAtOnce, tokensAtOnce - 1].map((i) => int64s(own(String(i)), [i], true)),
    ...Object.entries({
      'axis.0': [0],
      'axis.1': [1],
      'axis.-1': [-1],
      'as.targets': [1, -1, 1],
      'as.top': [-1, predictions],
    }).map(([name, values]) => int64s(own(name), values)),
  );
  // Where the head was, not at the end: the routing's last output must stay last (route.ts).
  const at = graph.node.findIndex((n) => n.output.includes('logits')) + 1;
  const [before, after] = [graph.node.slice(0, at), graph.node.slice(at)];
  graph.node = [
    ...before.filter((n) => !head.includes(n)),
    node('Shape', [names.targets], [own('shape')]),
    node('Gather', [own('shape'), own('axis.1')], [own('tokens.1')]),
    node('Squeeze', [own('tokens.1')], [own('tokens')]),
    node('Sub', [own('tokens'), own('1')], [own('final')]),
    node('Add', [own('tokens'), own(String(tokensAtOnce - 1))], [own('up')]),
    node('Div', [own('up'), own(String(tokensAtOnce))], [own('count')]),
    node('Add', [own('final'), own('count')], [own('filled')]),
    node('Div', [own('filled'), own('count')], [own('size')]),
    loop,
    ...(
      [
        ['log_prob', 'targets', 1, names.logProb],
        ['top', 'top', 0, names.topLogProb],
        ['ids', 'top', 0, names.topIds],
      ] as const
    ).flatMap(([what, as, axis, output]) => [
      node('Reshape', [own(`${what}.all`), own(`as.${as}`)], [own(`${what}.flat`)]),
      node('Slice', [own(`${what}.flat`), own('axis.0'), own('tokens.1'), own(`axis.${axis}`)], [output]),
    ]),
    ...after,
  ];
  graph.input.push(valueInfo(names.targets, DataType.INT64, [1, 'gander.tokens', 1]));
  graph.output = [
    ...graph.output.filter(({ name }) => name !== 'logits'),
    valueInfo(names.logProb, DataType.FLOAT, [1, 'gander.tokens', 1]),
    valueInfo(names.topLogProb, DataType.FLOAT, ['gander.tokens', predictions]),
    valueInfo(names.topIds, DataType.INT64, ['gander.tokens', predictions]),
    valueInfo(names.last, DataType.FLOAT, [1, 'gander.vocabulary']),
  ];
}

/**
 * The nodes that make logits of the last hidden states, and the name of those, [1, T, d]; where they are not plain
 * products, none, and the logits themselves.
 */
function cutHead(graph: GraphProto): { head: NodeProto[]; input: string } {
  const whole = { head: [], input: 'logits' };
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
  return isPlain && input !== undefined ? { head: [...new Set([...(products as NodeProto[]), maker])], input } : whole;
}

/**
 * The P likeliest of V, [b, P], as `top` and `ids`. TopK over all of a large vocabulary is slow; but the P best lie in
 * the P lanes with the best maxima, and a maximum is quick to find. (Of tokens exactly alike, those in the better lane
 * come first.)
 */
function likeliest(size: number | undefined, p: number, version: number): NodeProto[] {
  const few = int64Node(own('few'), [p]);
  if (size === undefined || size % lane !== 0 || size < 32 * lane) {
    return [
      few,
      node('TopK', [own('log_softmax'), own('few')], [own('top.3'), own('ids.3')], { axis: -1 }),
      node('Reshape', [own('top.3'), own('as.top')], [own('top')]),
      node('Reshape', [own('ids.3'), own('as.top')], [own('ids')]),
    ];
  }
  return [
    few,
    int64Node(own('as.lanes'), [-1, size / lane, lane]),
    int64Node(own('as.few'), [-1, p * lane]),
    node('Reshape', [own('log_softmax'), own('as.lanes')], [own('lanes')]),
    // Axes became an input with operator set 18.
    version >= 18
      ? node('ReduceMax', [own('lanes'), own('axis.-1')], [own('maxima')], { keepdims: 0 })
      : node('ReduceMax', [own('lanes')], [own('maxima')], { axes: [-1], keepdims: 0 }),
    node('TopK', [own('maxima'), own('few')], [own('best'), own('where')], { axis: -1 }),
    node('Unsqueeze', [own('where'), own('axis.-1')], [own('index')]),
    node('GatherND', [own('lanes'), own('index')], [own('lanes.best')], { batch_dims: 1 }),
    node('Reshape', [own('lanes.best'), own('as.few')], [own('candidates')]),
    node('TopK', [own('candidates'), own('few')], [own('top'), own('among')], { axis: -1 }),
    node('Div', [own('among'), own(String(lane))], [own('slot')]),
    node('Mod', [own('among'), own(String(lane))], [own('offset')]),
    node('GatherElements', [own('where'), own('slot')], [own('lane')], { axis: -1 }),
    node('Mul', [own('lane'), own(String(lane))], [own('begin')]),
    node('Add', [own('begin'), own('offset')], [own('ids')]),
  ];
}

/** A constant inside the loop. */
function int64Node(name: string, values: readonly number[]): NodeProto {
  return node('Constant', [], [name], { value_ints: values });
}

/** Size of the last axis of one of the base's outputs, where it is declared. */
function lastDimension(graph: GraphProto, output: string): number | undefined {
  const type = graph.output.find(({ name }) => name === output)?.type?.value;
  const dimension = type?.case === 'tensorType' ? type.value.shape?.dim.at(-1)?.value : undefined;
  return dimension?.case === 'dimValue' ? Number(dimension.value) : undefined;
}
