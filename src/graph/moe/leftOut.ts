/**
 * A graph always chooses k experts. If a what-if leaves fewer, it chooses some that were left out: here their routing weights
 * are set to 0.
 */
import type { Builder } from '../builder.js';
import { type NodeProto, floats, node } from '../model.js';
import { type Walk, usersOf } from '../walk.js';
import type { Router } from './routers.js';

/** Stands for −∞: beside any score its softmax is 0, and no NaN can arise. */
export const never = -1e30;

/** A score below this was left out. */
export const leftOut = -1e29;

const constants = { never: 'gander.never', bound: 'gander.left_out', nothing: 'gander.nothing' };

/** Names of values of one router. */
type Own = (what: string) => string;

/** Declares the constants that `withoutLeftOut` uses, once per graph. */
export function declareNever(builder: Builder): void {
  const values = { never, bound: leftOut, nothing: 0 };
  for (const [what, name] of Object.entries(constants))
    builder.constant(floats(name, [], Float32Array.of(values[what as keyof typeof values])));
}

/**
 * Gives left-out experts no weight, in place, for the router whose steered scores are `own('score')`.
 *
 * @returns the weights that the graph then uses, if it has any, and the selection scores, if their order is not the scores'
 */
export function withoutLeftOut(
  builder: Builder,
  walk: Walk,
  router: Router,
  own: Own,
): { readonly weight: string | undefined; readonly selection: string | undefined } {
  const { chooser, holder, ordered, chosen, compared } = router;
  const out = outOf(builder, own, compared);
  const place = chooser === holder ? 1 : 0;
  const selection = ordered ? undefined : compareWithout(builder, chooser.input[place]!, own, out);
  if (selection !== undefined) chooser.input[place] = selection;
  if (chosen === undefined) return { weight: undefined, selection };
  builder.last(node('GatherElements', [out, chosen], [own('gone')], { axis: -1 }));
  const best = ordered ? undefined : bestWithout(builder, walk, router, own);
  if (holder) holdWithout(builder, holder, own, out);
  return { weight: weighWithout(builder, walk, router, own, best), selection };
}

/** Makes nodes that take a value take another. */
export function instead(users: readonly NodeProto[], value: string, other: string): void {
  for (const n of users) n.input = n.input.map((name) => (name === value ? other : name));
}

/** [T, E] which experts are left out, in the shape of the selection scores. */
function outOf(builder: Builder, own: Own, compared: string): string {
  builder.last(node('Shape', [compared], [own('shape')]));
  builder.last(node('Reshape', [own('score'), own('shape')], [own('steered')]));
  builder.last(node('Less', [own('steered'), constants.bound], [own('out')]));
  return own('out');
}

/**
 * If the order of the selection scores is not the scores', experts must be left out there too: a bias may bring one back. If
 * a limit to groups excludes all experts that are left, they are compared nevertheless.
 */
function compareWithout(builder: Builder, compared: string, own: Own, out: string): string {
  builder.last(node('Where', [out, constants.never, compared], [own('left')]));
  builder.last(builder.reduce('ReduceMax', own('left'), own('most')));
  builder.last(node('Less', [own('most'), constants.bound], [own('nobody')]));
  builder.last(node('Unsqueeze', [own('nobody'), builder.shape([-1])], [own('nobodys')]));
  builder.last(node('Where', [out, constants.never, constants.nothing], [own('others')]));
  builder.last(node('Where', [own('nobodys'), own('others'), own('left')], [own('selection')]));
  return own('selection');
}

/** If weights are computed from the selection scores themselves, left-out experts get none. */
function bestWithout(builder: Builder, walk: Walk, { chooser, softens }: Router, own: Own): string | undefined {
  const best = chooser.output[0]!;
  const users = usersOf(walk, best);
  if (users.length === 0) return undefined;
  instead(users, best, own('best'));
  builder.last(node('Where', [own('gone'), softens ? constants.never : constants.nothing, best], [own('best')]));
  return own('best');
}

/** After a TopK, exporters pass the operator log-weights, log 1e-30 for experts not chosen: left-out ones must weigh even less. */
function holdWithout(builder: Builder, holder: NodeProto, own: Own, out: string): void {
  const logits = holder.input[1]!;
  builder.last(node('Shape', [logits], [own('held_shape')]));
  builder.last(node('Reshape', [out, own('held_shape')], [own('not_held')]));
  builder.last(node('Where', [own('not_held'), constants.never, logits], [own('held')]));
  holder.input[1] = own('held');
}

/** Sets weights to 0 whatever the rule computes: a sparse mixer's second expert always has some weight. */
function weighWithout(
  builder: Builder,
  walk: Walk,
  { weight, chooser }: Router,
  own: Own,
  best: string | undefined,
): string | undefined {
  if (weight === undefined) return undefined;
  const made = weight === chooser.output[0] ? (best ?? weight) : weight;
  instead(usersOf(walk, weight), made, own('weight'));
  builder.last(node('Where', [own('gone'), constants.nothing, made], [own('weight')]));
  return own('weight');
}
