/**
 * onnxruntime's operators that contain a layer's experts: com.microsoft's MoE and QMoE, which take router logits and choose
 * inside. test/engine/moeOperators.test.ts checks what version 1.30 computes on a CPU.
 */
import type { Warning } from '../../requests/description.js';
import type { Builder } from '../builder.js';
import { type GraphProto, type NodeProto, intAttribute, invalidBase, int64s, node } from '../model.js';
import { liesApart } from './interleave.js';
import type { Router } from './routers.js';

/** Inputs by index: the third layer's weights, and QMoE's routing weights, which replace those it would compute. */
const third: Readonly<Record<string, number>> = { MoE: 6, QMoE: 8 };
const weightsInput = 14;

/** @throws GanderError `base-invalid` if onnxruntime would silently skip something, or cannot compute it */
export function checkHolder(graph: GraphProto, holder: NodeProto, path: string): void {
  const { opType, input } = holder;
  const refuse = (what: string) =>
    invalidBase(
      `The experts of ${path} ${what}`,
      'Export the model without that operator, as transformers’ own exporter does.',
    );
  if ((intAttribute(holder, 'use_sparse_mixer') ?? 0) !== 0)
    throw refuse(`are chosen by a sparse mixer, which onnxruntime's ${opType} skips on a CPU`);
  if (input[third[opType]!])
    throw refuse(`have a third layer, which onnxruntime's ${opType} does not compute on a CPU`);
  if (intAttribute(holder, 'swiglu_fusion') === 2 && !liesApart(graph, holder))
    throw refuse(`store all gates before all values (swiglu_fusion 2), which onnxruntime's ${opType} refuses`);
}

/** The choice and the weights of an operator that contains the experts. */
export interface Held {
  /** [T, k] int64 and float32. */
  readonly chosen: string;
  readonly weight: string;
  readonly warning?: Warning;
  /** Constants that hold k, in addition to the operator's attribute. */
  readonly counts: readonly string[];
}

/**
 * Computes the operator's choice and weights beside it, by the same rule: the k best logits; their softmax, or their part of
 * the softmax over all.
 *
 * @param told [T, k] experts from whose scores the operator's logits were made; undefined if the operator itself chooses
 * @param factor factor on its output for each token, if there is one
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

/** QMoE always normalises weights that it computes from logits; weights that it gets as an input are normalised as its attribute says. */
function withWeights(holder: NodeProto, all: string): Warning {
  while (holder.input.length <= weightsInput) holder.input.push('');
  holder.input[weightsInput] = all;
  const text =
    "The model does not normalise its experts' weights, but onnxruntime's QMoE always does: Gander passes it the right ones.";
  return { code: 'weights-restored', text };
}
