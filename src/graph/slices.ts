import type { Outputs, Sizes } from './atOnce.js';
import {
  DataType,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  floats,
  graphAttribute,
  int64s,
  intAttribute,
  node,
  reduceLast,
  valueInfo,
} from './model.js';
import { names } from './route.js';

/** The most rows of the head at a time, so that they and their logits stay in a processor's cache. */
const mostRows = 2048;
/** With fewer, the fixed work per slice would dominate. */
const fewestRows = 512;

const own = (what: string) => `gander.slice.${what}`;

/** Far below any logit, but finite: the difference of two infinities is NaN. */
const nothing = -1e30;

/**
 * The nodes that compute `outputs` with an 8-bit head for many tokens at once. onnxruntime would unpack the whole head
 * first, and two 4-bit products (halves.ts), which are faster for few tokens, are twice the work. So the vocabulary is
 * processed in slices, each unpacked once for all tokens, and neither the unpacked head nor the logits ever exist as a
 * whole: from slice to slice only log Σ exp, the target's logit and the P largest are kept.
 *
 * @param head the `MatMulNBits` that computes logits from the hidden states
 * @returns undefined if the head cannot be cut into slices of equal size; otherwise its constants are added to the graph
 */
export function inSlices(
  graph: GraphProto,
  head: NodeProto,
  { predictions, version }: Sizes,
  outputs: Outputs,
): NodeProto[] | undefined {
  const tensor = (i: number) => graph.initializer.find(({ name }) => name === head.input[i]);
  const [weights, scales, zeroPoints] = [tensor(1), tensor(2), tensor(3)];
  const [vocabulary, width] = [intAttribute(head, 'N')!, intAttribute(head, 'K')!];
  const rows = sliceRows(vocabulary);
  const [, blocks, block] = (weights?.dims ?? []).map(Number) as [number, number, number];
  const isPlain = blocks * block === width && !head.input[5] && (!head.input[3] || zeroPoints);
  if (!weights || !scales || rows === undefined || !isPlain) return undefined;
  const count = vocabulary / rows;
  const cut = (of: TensorProto, name: string, last: number) =>
    // The same data, with the vocabulary's axis split into slices.
    graph.initializer.push({ ...of, name: own(name), dims: [count, rows, blocks, last].map(BigInt) });
  cut(weights, 'weights', block);
  cut(scales, 'scales', 1);
  if (zeroPoints) cut(zeroPoints, 'zero_points', 1);
  const scalars = { count, rows, 'last.row': rows - 1, 0: 0, '-1': -1 };
  const lists = {
    'axis.-1': [-1],
    few: [predictions],
    'from.0': [0],
    'to.1': [1],
    'as.hidden': [-1, width],
    'as.weights': [rows, width],
    'as.targets': [-1, 1],
    'as.log_prob': [1, -1, 1],
    'as.last': [1, vocabulary],
    'one.by.p': [1, predictions],
  };
  graph.initializer.push(
    floats(own('nothing'), [1, 1], Float32Array.of(nothing)),
    ...(zeroPoints ? [] : [floats(own('zero_point'), [1], Float32Array.of(128))]),
    ...Object.entries(scalars).map(([name, i]) => int64s(own(name), [i], true)),
    ...Object.entries(lists).map(([name, values]) => int64s(own(name), values)),
  );
  const loop = node(
    'Loop',
    [own('count'), '', own('one.nothing'), own('one.nothing'), own('p.nothing'), own('p.no_id')],
    ['sum', 'target', 'top', 'ids', 'last'].map((what) => own(`${what}.all`)),
  );
  const kept = (suffix: string) =>
    (
      [
        ['sum', DataType.FLOAT, 1],
        ['target', DataType.FLOAT, 1],
        ['top', DataType.FLOAT, predictions],
        ['ids', DataType.INT64, predictions],
      ] as const
    ).map(([name, type, size]) => valueInfo(own(name + suffix), type, [own('tokens'), size]));
  const scalar = (name: string, type: DataType) => valueInfo(own(name), type, []);
  loop.attribute.push(
    graphAttribute('body', {
      name: 'gander.slice',
      node: slice(zeroPoints !== undefined, version),
      input: [scalar('i', DataType.INT64), scalar('more', DataType.BOOL), ...kept('')],
      output: [scalar('more.out', DataType.BOOL), ...kept('.out'), valueInfo(own('last'), DataType.FLOAT, [1, rows])],
    }),
  );
  return [
    node('Reshape', [head.input[0]!, own('as.hidden')], [own('hidden')]),
    node('Reshape', [names.targets, own('as.targets')], [own('targets')]),
    node('Shape', [own('targets')], [own('one.shape')]),
    node('Mul', [own('one.shape'), own('one.by.p')], [own('p.shape')]),
    node('Expand', [own('nothing'), own('one.shape')], [own('one.nothing')]),
    node('Expand', [own('nothing'), own('p.shape')], [own('p.nothing')]),
    node('Expand', [own('0'), own('p.shape')], [own('p.no_id')]),
    loop,
    node('Sub', [own('target.all'), own('sum.all')], [own('log_prob')]),
    node('Reshape', [own('log_prob'), own('as.log_prob')], [outputs.logProb]),
    node('Sub', [own('top.all'), own('sum.all')], [outputs.top]),
    node('Identity', [own('ids.all')], [outputs.ids]),
    node('Reshape', [own('last.all'), own('as.last')], [outputs.last]),
  ];
}

/** What is done with one slice. */
function slice(hasZeroPoints: boolean, version: number): NodeProto[] {
  const part = (what: string) => node('Gather', [own(what), own('i')], [own(`${what}.of`)], { axis: 0 });
  const float = (what: string) => node('Cast', [own(`${what}.of`)], [own(`${what}.float`)], { to: DataType.FLOAT });
  const zero = hasZeroPoints ? own('zero_points.float') : own('zero_point');
  return [
    // Logits: scale · (weight − zero point), then the product.
    ...[part('weights'), part('scales'), float('weights')],
    ...(hasZeroPoints ? [part('zero_points'), float('zero_points')] : []),
    node('Sub', [own('weights.float'), zero], [own('weights.centred')]),
    node('Mul', [own('weights.centred'), own('scales.of')], [own('weights.scaled')]),
    node('Reshape', [own('weights.scaled'), own('as.weights')], [own('head')]),
    node('Gemm', [own('hidden'), own('head')], [own('logits')], { transB: 1 }),
    node('Gather', [own('logits'), own('-1')], [own('last.1')], { axis: 0 }),
    node('Unsqueeze', [own('last.1'), own('from.0')], [own('last')]),
    node('TopK', [own('logits'), own('few')], [own('top.here'), own('ids.here')], { axis: -1 }),
    // log Σ exp, from the fastest operator that computes it: logit − log softmax of the largest.
    node('LogSoftmax', [own('logits')], [own('log_softmax')], { axis: -1 }),
    node('Slice', [own('top.here'), own('from.0'), own('to.1'), own('axis.-1')], [own('largest')]),
    node('Slice', [own('ids.here'), own('from.0'), own('to.1'), own('axis.-1')], [own('largest.id')]),
    node('GatherElements', [own('log_softmax'), own('largest.id')], [own('largest.log_softmax')], { axis: -1 }),
    node('Sub', [own('largest'), own('largest.log_softmax')], [own('sum.here')]),
    node('Concat', [own('sum'), own('sum.here')], [own('sums')], { axis: -1 }),
    reduceLast('ReduceLogSumExp', own('sums'), own('sum.flat'), own('axis.-1'), version),
    node('Reshape', [own('sum.flat'), own('as.targets')], [own('sum.out')]),
    // The target's logit, if it is in this slice.
    node('Mul', [own('i'), own('rows')], [own('start')]),
    node('Sub', [own('targets'), own('start')], [own('target.row')]),
    node('Clip', [own('target.row'), own('0'), own('last.row')], [own('target.near')]),
    node('Equal', [own('target.row'), own('target.near')], [own('target.is')]),
    node('GatherElements', [own('logits'), own('target.near')], [own('target.logit')], { axis: -1 }),
    node('Where', [own('target.is'), own('target.logit'), own('target')], [own('target.out')]),
    // The P largest so far.
    node('Add', [own('ids.here'), own('start')], [own('ids.moved')]),
    node('Concat', [own('top'), own('top.here')], [own('top.both')], { axis: -1 }),
    node('Concat', [own('ids'), own('ids.moved')], [own('ids.both')], { axis: -1 }),
    node('TopK', [own('top.both'), own('few')], [own('top.out'), own('among')], { axis: -1 }),
    node('GatherElements', [own('ids.both'), own('among')], [own('ids.out')], { axis: -1 }),
    node('Identity', [own('more')], [own('more.out')]),
  ];
}

/** The largest number of rows, within bounds, that divides the vocabulary. */
function sliceRows(vocabulary: number): number | undefined {
  for (let rows = mostRows; rows >= fewestRows; rows--) if (vocabulary % rows === 0) return rows;
  return undefined;
}
