/**
 * Finds the residual stream after each layer by data flow: a value that everything about the tokens passes through, so that
 * nothing after it depends on them except through it. Between two such values lies a layer, whose keys and values (or other
 * state) carry its number.
 */
import { needsOf } from './builder.js';
import { GanderError } from '../errors/errors.js';
import { type GraphProto, type NodeProto, node } from './model.js';
import { pastPairs } from './past.js';

/** Operators that return a value's size and nothing of its content. */
const sizes = new Set(['Shape', 'Size']);

/** Operators that fuse a sum and a norm; `bias` is the index of one more summand, the last input. */
const skips: Readonly<Record<string, { readonly norm: string; readonly bias: number }>> = {
  SkipLayerNormalization: { norm: 'LayerNormalization', bias: 4 },
  SkipSimplifiedLayerNormalization: { norm: 'SimplifiedLayerNormalization', bias: 3 },
};

/** Outputs that carry a layer's state to the next step. */
export function statesOf(inputs: readonly string[], outputs: readonly string[]): readonly string[] {
  return [...pastPairs(inputs, outputs).values()];
}

/** Numbers of the layers that these states belong to, in order. */
export function layersOf(states: readonly string[]): number[] {
  return [...new Set(states.map(numberOf))].sort((a, b) => a - b);
}

function numberOf(state: string): number {
  return Number(/\d+/.exec(state)?.[0]);
}

/** Splits operators that fuse a sum with a norm, in place: the sum is needed by itself. */
export function partSums(graph: GraphProto): void {
  graph.node = graph.node.flatMap((n) => (n.domain === 'com.microsoft' && skips[n.opType] ? parted(n) : [n]));
}

function parted(n: NodeProto): NodeProto[] {
  const { norm, bias } = skips[n.opType]!;
  const [output] = n.output;
  const named = n.output[3] ?? '';
  const sum = named === '' ? `gander.sum.${output}` : named;
  const [both, added] = [`${sum}.both`, n.input[bias]];
  const epsilon = n.attribute.filter(({ name }) => name === 'epsilon');
  const [scale, shift] = [n.input[2]!, norm === 'LayerNormalization' ? n.input[3] : undefined];
  const after = node(norm, [sum, scale, ...(shift ? [shift] : [])], [output!], { axis: -1 });
  after.attribute.push(...epsilon);
  return [
    node('Add', [n.input[0]!, n.input[1]!], [added ? both : sum]),
    ...(added ? [node('Add', [both, added], [sum])] : []),
    after,
  ];
}

/**
 * Names of the stream after each layer, in the layers' order.
 *
 * @param states outputs that carry the layers' states
 * @param result the value that the stream ends in
 * @throws GanderError `request-invalid` if the stream is not found
 */
export function streamOf(graph: GraphProto, states: readonly string[], result: string): string[] {
  const told = toldOfTokens(graph);
  const { passes, sum } = passedByAll(graph, told, result);
  const latest = latestOf(graph, told, passes);
  const layers = layersOf(states);
  // The input of each layer, and the output of the last.
  const into = layers.map((layer) => {
    const own = states.filter((state) => numberOf(state) === layer);
    return Math.min(...own.map((state) => latest.get(state) ?? -1));
  });
  const last = sum === undefined ? -1 : passes.indexOf(sum);
  const all = [...into, last];
  if (layers.length === 0 || all.some((place, i) => place <= (all[i - 1] ?? -1)))
    throw new GanderError(
      'request-invalid',
      'The logit lens cannot be computed for this model: its graph has no value after each layer that the whole text passes through.',
      'Choose another model.',
    );
  return all.slice(1).map((place) => passes[place]!);
}

/** Values that depend on the tokens, not only on how many there are. */
function toldOfTokens(graph: GraphProto): ReadonlySet<string> {
  const told = new Set(['input_ids']);
  for (const n of graph.node)
    if (!sizes.has(n.opType) && needsOf(n).some((name) => told.has(name))) n.output.forEach((name) => told.add(name));
  told.delete('');
  return told;
}

/** Values on every path from the tokens to `result`, in order, and the last of them that is a sum. */
function passedByAll(
  { node: nodes }: GraphProto,
  told: ReadonlySet<string>,
  result: string,
): { readonly passes: readonly string[]; readonly sum: string | undefined } {
  const wanted = new Set([result]);
  for (const n of [...nodes].reverse())
    if (n.output.some((name) => wanted.has(name))) for (const name of needsOf(n)) if (told.has(name)) wanted.add(name);
  const way = nodes.filter((n) => n.output.some((name) => told.has(name) && wanted.has(name)));
  const lastUse = new Map<string, number>();
  way.forEach((n, at) => needsOf(n).forEach((name) => wanted.has(name) && lastUse.set(name, at)));
  lastUse.set(result, way.length);
  const passes: string[] = [];
  let sum: string | undefined;
  const open = new Set(['input_ids']);
  for (const [at, n] of way.entries()) {
    for (const name of needsOf(n)) if (lastUse.get(name) === at) open.delete(name);
    for (const name of n.output) if ((lastUse.get(name) ?? -1) > at) open.add(name);
    if (open.size !== 1) continue;
    const [value] = open;
    if (value === passes.at(-1)) continue;
    passes.push(value!);
    // The sum of an 8-bit product's two halves (halves.ts) does not count.
    const isSum = n.opType === 'Add' && n.input.every((name) => told.has(name) && !name.startsWith('gander.half.'));
    if (isSum && n.output[0] === value) sum = value;
  }
  return { passes, sum };
}

/** For each value, the index of the last of `passes` that it is computed from. */
function latestOf(
  graph: GraphProto,
  told: ReadonlySet<string>,
  passes: readonly string[],
): ReadonlyMap<string, number> {
  const latest = new Map(passes.map((name, place) => [name, place]));
  for (const n of graph.node) {
    const place = Math.max(-1, ...needsOf(n).map((name) => (told.has(name) ? (latest.get(name) ?? -1) : -1)));
    for (const name of n.output) if (told.has(name) && !latest.has(name)) latest.set(name, place);
  }
  return latest;
}
