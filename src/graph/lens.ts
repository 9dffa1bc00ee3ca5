/** The logit lens: the final norm and the head applied to the residual stream after each layer, for one token at a time. */
import { needsOf } from './builder.js';
import { DataType, type GraphProto, type ModelProto, type NodeProto, node, valueInfo } from './model.js';
import { keepOnly } from './part.js';
import { names } from './route.js';
import { layersOf, partSums, statesOf, streamOf } from './stream.js';

/** Additional inputs of the graph. L is the number of layers (`layersOf` its states). */
export const lensNames = {
  /** [1] int64: which token of the chunk. */
  place: 'gander.lens.place',
  /** [1, L, 1] int64: the token after it, once per layer. */
  targets: 'gander.lens.targets',
} as const;

const predictions: readonly string[] = [names.logProb, names.topLogProb, names.topIds, names.last];

const stack = 'gander.lens.stack';

/**
 * Turns a composed graph into a logit lens, in place: instead of the last layer's stream of all tokens, the final norm gets
 * every layer's stream of one token, [1, L, d]. The predictions for T tokens become those of L layers, first layer first;
 * the routing's outputs are removed.
 *
 * @throws GanderError `request-invalid` if the residual stream is not found
 */
export function insertLens({ graph }: ModelProto & { graph: GraphProto }): void {
  const states = statesOf(
    graph.input.map(({ name }) => name),
    graph.output.map(({ name }) => name),
  );
  partSums(graph);
  const stream = streamOf(graph, states, names.logProb);
  const layers = layersOf(states).length;
  const last = stream.at(-1)!;
  const renamed = new Map([
    [last, stack],
    [names.targets, lensNames.targets],
  ]);
  const before = madeOf(graph, [last]);
  const hidden = keepHidden(graph, before);
  const tail = [...madeOf(graph, predictions)].filter((n) => !before.has(n));
  for (const n of tail) rename(n, renamed);
  // The tokens are the second axis from the end, with or without a batch axis before it.
  const rows = stream.map((_, i) => `gander.lens.row.${i}`);
  const own = [
    ...stream.map((name, i) => node('Gather', [name, lensNames.place], [rows[i]!], { axis: -2 })),
    node('Concat', rows, [stack], { axis: -2 }),
  ];
  const behind = new Set(tail);
  graph.node = [...graph.node.filter((n) => !behind.has(n)), ...own, ...graph.node.filter((n) => behind.has(n))];
  graph.input.push(
    valueInfo(lensNames.place, DataType.INT64, [1]),
    valueInfo(lensNames.targets, DataType.INT64, [1, layers, 1]),
  );
  // These shapes were inferred for T tokens.
  const changed = new Set(tail.flatMap((n) => n.output));
  graph.valueInfo = graph.valueInfo.filter(({ name }) => !changed.has(name));
  graph.output = graph.output.map((output) => (predictions.includes(output.name) ? anySize(output) : output));
  keepOnly(graph, new Set([...states, ...predictions, ...hidden]));
}

/**
 * If the graph has the last hidden state as an output (hidden.ts), it stays that of all tokens: it gets nodes of its own.
 *
 * @param before nodes that compute the last layer's stream
 * @returns its name
 */
function keepHidden(graph: GraphProto, before: ReadonlySet<NodeProto>): readonly string[] {
  if (!graph.output.some(({ name }) => name === names.hidden)) return [];
  const makers = [...madeOf(graph, [names.hidden])].filter((n) => !before.has(n)).reverse();
  const own = new Map(
    makers.flatMap(({ output }) =>
      output.filter((name) => name && name !== names.hidden).map((name) => [name, `${name}.hidden`]),
    ),
  );
  const named = (name: string) => own.get(name) ?? name;
  const copies = makers.map((n) => ({
    ...n,
    name: n.name && `${n.name}.hidden`,
    input: n.input.map(named),
    output: n.output.map(named),
  }));
  graph.node = [...graph.node.filter(({ output }) => !output.includes(names.hidden)), ...copies];
  return [names.hidden];
}

/** All nodes that these values are computed from. */
function madeOf(graph: GraphProto, values: readonly string[]): ReadonlySet<NodeProto> {
  const wanted = new Set(values);
  const makers = new Set<NodeProto>();
  for (const n of [...graph.node].reverse()) {
    if (!n.output.some((name) => wanted.has(name))) continue;
    makers.add(n);
    for (const name of needsOf(n)) if (name) wanted.add(name);
  }
  return makers;
}

function rename(n: NodeProto, names: ReadonlyMap<string, string>): void {
  n.input = n.input.map((name) => names.get(name) ?? name);
  for (const { g, graphs } of n.attribute)
    for (const nested of g ? [g, ...graphs] : graphs) for (const inner of nested.node) rename(inner, names);
}

function anySize(output: GraphProto['output'][number]): GraphProto['output'][number] {
  const type = output.type?.value;
  if (type?.case === 'tensorType') delete type.value.shape;
  return output;
}
