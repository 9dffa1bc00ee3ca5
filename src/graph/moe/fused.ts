/**
 * onnxruntime's operators that hold a layer's experts: com.microsoft's MoE and QMoE, which take a router's logits and choose
 * inside. What 1.30 computes on a processor is held to in test/engine/moeOperators.test.ts.
 */
import type { Warning } from '../../requests/description.js';
import type { Builder } from '../builder.js';
import { type GraphProto, type NodeProto, intAttribute, invalidBase, int64s, node } from '../model.js';
import { liesApart } from './interleave.js';
import type { Router } from './routers.js';

/** Inputs by number: the third layer's weights, and (of QMoE) numbers that stand in for its own weights. */
const third: Readonly<Record<string, number>> = { MoE: 6, QMoE: 8 };
const weightsInput = 14;

/** @throws GanderError `base-invalid` for what onnxruntime would leave out without a word, or cannot compute */
export function checkHolder(graph: GraphProto, holder: NodeProto, path: string): void {
  const { opType, input } = holder;
  const refuse = (what: string) =>
    invalidBase(
      `The experts of ${path} ${what}`,
      'Export the model without that operator, as transformers’ own exporter does.',
    );
  if ((intAttribute(holder, 'use_sparse_mixer') ?? 0) !== 0)
    throw refuse(`are chosen by a sparse mixer, which onnxruntime's ${opType} leaves out on a processor`);
  if (input[third[opType]!])
    throw refuse(`have a third layer, which onnxruntime's ${opType} does not compute on a processor`);
  if (intAttribute(holder, 'swiglu_fusion') === 2 && !liesApart(graph, holder))
    throw refuse(`keep gate and values apart (swiglu_fusion 2), which onnxruntime's ${opType} refuses`);
}

/** What a holder does with the experts that it was told or chooses. */
export interface Held {
  /** [T, k] int64 and float32. */
  readonly chosen: string;
  readonly weight: string;
  readonly warning?: Warning;
  /** Constants that are k, beside the operator's own attribute. */
  readonly counts: readonly string[];
}

/**
 * What the operator chooses and by what it multiplies, computed beside it by the same rule: the k best logits; their softmax,
 * or their part of the softmax over all.
 *
 * @param told [T, k] places that the operator's logits were made of; undefined where it chooses itself
 * @param factor what its output is multiplied by for each token, if it is
 */
export function besideHolder(
  builder: Builder,
  { k, experts }: Pick<Router, 'k' | 'experts'>,
  holder: NodeProto,
  i: number,
  told?: string,
  factor?: string,
): Held {
  const own = (what: string) => `gander.moe.${what}.${i}`;
  const add = (n: NodeProto) => builder.last(n);
  const flat = (value: string, name: string) => {
    add(node('Reshape', [value, builder.shape([-1, experts])], [name]));
    return name;
  };
  const logits = flat(holder.input[1]!, own('logits'));
  const chosen = told ?? own('chosen');
  if (told !== undefined) add(node('GatherElements', [logits, chosen], [own('best')], { axis: -1 }));
  else {
    builder.constant(int64s(own('k'), [k]));
    add(node('TopK', [logits, own('k')], [own('best'), chosen], { axis: -1 }));
  }
  const { weight, warning } = weightOf(builder, holder, logits, own('best'), chosen, own, flat);
  const counts = told === undefined ? [own('k')] : [];
  if (factor === undefined) return { chosen, weight, counts, ...(warning && { warning }) };
  add(node('Reshape', [factor, builder.shape([-1, 1])], [own('factor')]));
  add(node('Mul', [weight, own('factor')], [own('applied')]));
  return { chosen, weight: own('applied'), counts, ...(warning && { warning }) };
}

function weightOf(
  builder: Builder,
  holder: NodeProto,
  logits: string,
  best: string,
  chosen: string,
  own: (what: string) => string,
  flat: (value: string, name: string) => string,
): Omit<Held, 'chosen' | 'counts'> {
  const add = (n: NodeProto) => builder.last(n);
  const normalised = (intAttribute(holder, 'normalize_routing_weights') ?? 0) !== 0;
  const given = holder.opType === 'QMoE' ? holder.input[weightsInput] : undefined;
  if (normalised && !given) {
    add(node('Softmax', [best], [own('weight')], { axis: -1 }));
    return { weight: own('weight') };
  }
  if (given) flat(given, own('all'));
  else add(node('Softmax', [logits], [own('all')], { axis: -1 }));
  add(node('GatherElements', [own('all'), chosen], [own('gathered')], { axis: -1 }));
  if (normalised) {
    add(builder.reduce('ReduceSum', own('gathered'), own('sum')));
    add(node('Unsqueeze', [own('sum'), builder.shape([-1])], [own('sums')]));
    add(node('Div', [own('gathered'), own('sums')], [own('weight')]));
    return { weight: own('weight') };
  }
  const warning = holder.opType === 'QMoE' && !given ? withWeights(holder, own('all')) : undefined;
  return { weight: own('gathered'), ...(warning && { warning }) };
}

/** QMoE always normalises what it makes of logits itself; what it is given beside them it takes as the attribute says. */
function withWeights(holder: NodeProto, all: string): Warning {
  while (holder.input.length <= weightsInput) holder.input.push('');
  holder.input[weightsInput] = all;
  const text =
    "The model does not normalise its experts' weights, but onnxruntime's QMoE does all the same: Gander gives it the right ones.";
  return { code: 'weights-restored', text };
}
