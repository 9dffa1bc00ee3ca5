import { type NodeProto, node, reduceLast } from './model.js';

/** The nodes that compute logits from the hidden states `input` [1, T, d]; none if `input` already is the logits. */
export interface Head {
  readonly products: readonly NodeProto[];
  readonly input: string;
}

/** Names of the predictions of the token that follows each of T tokens. */
export interface Outputs {
  /** [1, T, 1] natural log-probability of the target. */
  readonly logProb: string;
  /** [T, P] natural log-probabilities of the P likeliest, and their ids (int64). */
  readonly top: string;
  readonly ids: string;
  /** [1, V] logits of the last position. */
  readonly last: string;
}

export interface Sizes {
  /** P */
  readonly predictions: number;
  /** V, if the base declares it. */
  readonly vocabulary: number | undefined;
  /** Version of the standard operators. */
  readonly version: number;
}

/** Tokens of the vocabulary that share one maximum. */
const lane = 128;

const own = (what: string) => `gander.at_once.${what}`;

/** The nodes that compute `outputs` from `hidden` [1, T, d] and `targets` [1, T, 1] for all tokens at once: [T, V] logits exist. */
export function atOnce(
  { products, input }: Head,
  hidden: string,
  targets: string,
  sizes: Sizes,
  outputs: Outputs,
): NodeProto[] {
  const logits = products.length > 0 ? 'logits' : hidden;
  return [
    ...products.map((n) => ({ ...n, input: n.input.map((name) => (name === input ? hidden : name)) })),
    node('Constant', [], [own('-1')], { value_int: -1 }),
    node('LogSoftmax', [logits], [own('log_softmax')], { axis: -1 }),
    node('GatherElements', [own('log_softmax'), targets], [outputs.logProb], { axis: -1 }),
    ...likeliest(sizes, outputs),
    node('Gather', [logits, own('-1')], [outputs.last], { axis: 1 }),
  ];
}

/**
 * The P likeliest of V. TopK over all of a large vocabulary is slow; but the P best lie in the P lanes with the best
 * maxima, and a maximum is quick to find. (Among tokens with equal logits, those in the better lane come first.)
 */
function likeliest({ vocabulary: v, predictions: p, version }: Sizes, { top, ids }: Outputs): NodeProto[] {
  const numbers = (name: string, values: readonly number[]) =>
    node('Constant', [], [own(name)], { value_ints: values });
  const few = numbers('few', [p]);
  if (v === undefined || v % lane !== 0 || v < 32 * lane) {
    return [
      few,
      numbers('as.top', [-1, p]),
      node('TopK', [own('log_softmax'), own('few')], [own('top'), own('ids')], { axis: -1 }),
      node('Reshape', [own('top'), own('as.top')], [top]),
      node('Reshape', [own('ids'), own('as.top')], [ids]),
    ];
  }
  return [
    few,
    numbers('axis', [-1]),
    numbers('lane', [lane]),
    numbers('as.lanes', [-1, v / lane, lane]),
    numbers('as.candidates', [-1, p * lane]),
    node('Reshape', [own('log_softmax'), own('as.lanes')], [own('lanes')]),
    reduceLast('ReduceMax', own('lanes'), own('maxima'), own('axis'), version),
    node('TopK', [own('maxima'), own('few')], [own('best'), own('where')], { axis: -1 }),
    node('Unsqueeze', [own('where'), own('axis')], [own('index')]),
    node('GatherND', [own('lanes'), own('index')], [own('lanes.best')], { batch_dims: 1 }),
    node('Reshape', [own('lanes.best'), own('as.candidates')], [own('candidates')]),
    node('TopK', [own('candidates'), own('few')], [top, own('among')], { axis: -1 }),
    node('Div', [own('among'), own('lane')], [own('slot')]),
    node('Mod', [own('among'), own('lane')], [own('offset')]),
    node('GatherElements', [own('where'), own('slot')], [own('lane.of')], { axis: -1 }),
    node('Mul', [own('lane.of'), own('lane')], [own('begin')]),
    node('Add', [own('begin'), own('offset')], [ids]),
  ];
}
