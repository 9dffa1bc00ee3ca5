/** How a router computes weights from the scores of the experts that it chose. */
import type { NodeProto } from '../onnx_pb.js';
import { type Walk, isConstant, usersOf } from '../walk.js';

/** Operators that compute a weight from a weight alone. */
const alone = new Set(['Softmax', 'Sigmoid', 'Cast', 'Identity', 'Clip']);

/** Operators between weights and the sum that they are divided by. */
const sums = new Set(['ReduceSum', 'Add', 'Max', 'Clip', 'Cast', 'Expand', 'Unsqueeze']);

/** Operators that distribute weights to experts, and those that then apply them. */
const deals = new Set([
  ...[
    'Reshape',
    'Flatten',
    'Unsqueeze',
    'Squeeze',
    'Transpose',
    'Expand',
    'Tile',
    'Cast',
    'Identity',
    'Slice',
    'Split',
  ],
  ...['Gather', 'GatherND', 'GatherElements', 'ScatterElements', 'ScatterND', 'Concat', 'Where'],
]);
const applies = new Set(['Mul', 'MatMul', 'Einsum']);

/** Operators that indices may pass through before something is gathered at them. */
const reshapes = new Set(['Unsqueeze', 'Reshape', 'Cast']);

/** Operators whose output is not a weight. */
const blind = new Set(['Shape', 'Size']);

/** No model has this many operators between the best scores and their weights. */
const longest = 32;

/** At most this many operators between weights and their sum. */
const deepest = 4;

/**
 * The last [T, k] value that is computed from the chosen scores alone: normalised, scaled. What follows may only distribute
 * it to experts; if anything else is done to it on the way, the graph has no such value.
 *
 * @returns also whether it includes a softmax of the chosen scores, and whether it is normalised to sum to 1, if that is known
 */
export function appliedWeight(
  walk: Walk,
  chooser: NodeProto,
): { readonly weight: string | undefined; readonly softens: boolean; readonly normalised: boolean | undefined } {
  let weight = firstWeight(walk, chooser);
  let softens = false;
  let isDivided = false;
  for (let steps = 0; weight !== undefined && steps < longest; steps++) {
    const next = follower(walk, weight, chooser);
    if (!next) break;
    softens ||= next.opType === 'Softmax';
    isDivided ||= next.opType === 'Div' && isSumOf(walk, next.input[1], weight);
    weight = next.output[0]!;
  }
  const isTold = weight !== undefined && isDealt(walk, weight);
  return { weight: isTold ? weight : undefined, softens, normalised: isTold ? softens || isDivided : undefined };
}

/** Whether weights reach the experts unchanged. */
function isDealt(walk: Walk, weight: string): boolean {
  const open = [weight];
  const seen = new Set(open);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const { opType, output } of usersOf(walk, name)) {
      if (applies.has(opType) || blind.has(opType)) continue;
      if (!deals.has(opType)) return false;
      for (const next of output) {
        if (!seen.has(next)) open.push(next);
        seen.add(next);
      }
    }
  }
  return true;
}

/** The best scores themselves, or the numbers gathered at their indices. */
function firstWeight(walk: Walk, chooser: NodeProto): string | undefined {
  const [best, places] = chooser.output;
  if (chooser.opType === 'Concat') return joined(walk, chooser);
  const gathered = usersOf(walk, places ?? '').find((n) => n.opType === 'GatherElements' && n.input[1] === places);
  return gathered?.output[0] ?? (best && usersOf(walk, best).length > 0 ? best : undefined);
}

/** Numbers gathered index by index and joined in the order of the indices. */
function joined(walk: Walk, { input: places }: NodeProto): string | undefined {
  const gathered = places.map((place) =>
    usersOf(walk, place).find((n) => n.opType === 'GatherElements' && n.input[1] === place),
  );
  const first = gathered[0]?.output[0];
  return first === undefined
    ? undefined
    : usersOf(walk, first).find(
        ({ opType, input }) => opType === 'Concat' && gathered.every((n, i) => n && n.output[0] === input[i]),
      )?.output[0];
}

function follower(walk: Walk, weight: string, chooser: NodeProto): NodeProto | undefined {
  return usersOf(walk, weight).find((n) => {
    if (alone.has(n.opType)) return n.input[0] === weight;
    const other = n.input[0] === weight ? n.input[1] : n.input[0];
    if (n.opType === 'Mul') return isConstant(walk, other) || isOfChosen(walk, other, chooser.output[1]);
    return n.opType === 'Div' && n.input[0] === weight && (isConstant(walk, other) || isSumOf(walk, other, weight));
  });
}

/** A number of each chosen expert's own, as Gemma 4 scales its weights by: taken from a constant at the experts' indices. */
function isOfChosen(walk: Walk, value: string | undefined, places: string | undefined): boolean {
  const n = value ? walk.producers.get(value) : undefined;
  if (!n?.opType.startsWith('Gather') || !isConstant(walk, n.input[0])) return false;
  const at = walk.producers.get(n.input[1]!);
  return n.input[1] === places || (at !== undefined && reshapes.has(at.opType) && at.input[0] === places);
}

function isSumOf(walk: Walk, value: string | undefined, weight: string, depth = 0): boolean {
  if (value === weight) return depth > 0;
  const n = value ? walk.producers.get(value) : undefined;
  if (!n || depth === deepest || !sums.has(n.opType)) return false;
  return n.input.filter(Boolean).some((input) => isSumOf(walk, input, weight, depth + 1));
}
