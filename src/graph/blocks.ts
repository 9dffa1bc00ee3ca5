import { type Head, type Outputs, type Sizes, atOnce } from './atOnce.js';
import { DataType, type GraphProto, type NodeProto, floats, graphAttribute, int64s, node, valueInfo } from './model.js';
import { names } from './route.js';

/**
 * How many tokens' logits are in memory at a time. The [T, V] logits of a whole chunk, with what is computed from them,
 * would take most of a run's memory; much smaller blocks would unpack the head's weights too often.
 */
const tokensAtOnce = 64;

const own = (what: string) => `gander.block.${what}`;

/**
 * The nodes that compute `outputs` in a loop over n = ⌈T / 64⌉ blocks of b = ⌈T / n⌉ tokens, the last one padded with
 * copies of the last token, so that [T, V] never exists. Adds their constants to the graph.
 */
export function inBlocks(graph: GraphProto, head: Head, sizes: Sizes, outputs: Outputs): NodeProto[] {
  const body = [
    node('Mul', [own('i'), own('size')], [own('start')]),
    node('Add', [own('start'), own('size')], [own('end')]),
    node('Range', [own('start'), own('end'), own('1')], [own('range')]),
    node('Min', [own('range'), own('final')], [own('rows')]),
    node('Gather', [head.input, own('rows')], [own('hidden')], { axis: 1 }),
    node('Gather', [names.targets, own('rows')], [own('targets')], { axis: 1 }),
    ...atOnce(head, own('hidden'), own('targets'), sizes, {
      logProb: own('log_prob'),
      top: own('top'),
      ids: own('ids'),
      last: own('last'),
    }),
    node('Identity', [own('more')], [own('more.out')]),
  ];
  const any = (name: string, type: DataType, rank: number) =>
    valueInfo(
      own(name),
      type,
      Array.from({ length: rank }, (_, i) => own(`${name}.${i}`)),
    );
  const loop = node(
    'Loop',
    [own('count'), '', own('none')],
    [outputs.last, ...['log_prob', 'top', 'ids'].map((what) => own(`${what}.all`))],
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
    ...[1, tokensAtOnce, tokensAtOnce - 1].map((i) => int64s(own(String(i)), [i], true)),
    ...Object.entries({
      'axis.0': [0],
      'axis.1': [1],
      'as.targets': [1, -1, 1],
      'as.top': [-1, sizes.predictions],
    }).map(([name, values]) => int64s(own(name), values)),
  );
  return [
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
        ['log_prob', 'targets', 1, outputs.logProb],
        ['top', 'top', 0, outputs.top],
        ['ids', 'top', 0, outputs.ids],
      ] as const
    ).flatMap(([what, as, axis, output]) => [
      node('Reshape', [own(`${what}.all`), own(`as.${as}`)], [own(`${what}.flat`)]),
      node('Slice', [own(`${what}.flat`), own('axis.0'), own('tokens.1'), own(`axis.${axis}`)], [output]),
    ]),
  ];
}
