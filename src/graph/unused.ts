import { needsOf } from './builder.js';
import type { GraphProto } from './model.js';

/** Removes, in place, what no output is computed from. */
export function removeUnused(graph: GraphProto): void {
  const makers = new Map(graph.node.flatMap((n) => n.output.map((name) => [name, n])));
  const used = new Set(graph.output.flatMap(({ name }) => makers.get(name) ?? []));
  for (const n of used)
    for (const name of needsOf(n)) {
      const maker = makers.get(name);
      // A set that grows is iterated to its end.
      if (maker) used.add(maker);
    }
  graph.node = graph.node.filter((n) => used.has(n));
}
