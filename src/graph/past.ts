import { follow, makerOf, packedHeads } from './flow.js';
import type { GraphProto } from './onnx_pb.js';
import { indexOf, productsOf } from './products.js';

/** Most pairs of an input and an output, all of which are compared; far more than any model has. */
const mostPairs = 2 ** 20;

/** The inputs of the tokens; any other input with a matching output carries the past. */
export const tokenInputs: ReadonlySet<string> = new Set([
  'input_ids',
  'attention_mask',
  'position_ids',
  'num_logits_to_keep',
]);

/**
 * For each input that carries the past (keys, values, states of convolutions), the output that replaces it in the next step:
 * the two names end alike, as in `past_key_values.0.key` and `present.0.key`, or `past_key_values.layers.0.keys` and
 * `cache.layers.0.keys`.
 */
export function pastPairs(inputs: readonly string[], outputs: readonly string[]): ReadonlyMap<string, string> {
  const isOurs = (name: string) => name.startsWith('gander.');
  const given = outputs.filter((name) => name !== 'logits' && !isOurs(name));
  const taken = inputs.filter((name) => !tokenInputs.has(name) && !isOurs(name));
  if (given.length * taken.length > mostPairs) return new Map();
  const best = (name: string, others: readonly string[]) => {
    const ends = others.map((other) => commonEnd(name, other));
    const longest = Math.max(0, ...ends);
    const at = ends.indexOf(longest);
    return longest > 0 && ends.lastIndexOf(longest) === at ? others[at] : undefined;
  };
  return new Map(
    taken.flatMap((name) => {
      const next = best(name, given);
      return next !== undefined && best(next, taken) === name ? [[name, next]] : [];
    }),
  );
}

/** How many words two names share at their ends; 0 if the layer's number is not among them. */
function commonEnd(a: string, b: string): number {
  const [x, y] = [a, b].map((name) => name.split(/[._/]+/)) as [string[], string[]];
  let count = 0;
  while (count < x.length && x.at(-1 - count) === y.at(-1 - count)) count++;
  return x.slice(x.length - count).some((word) => /^\d+$/.test(word)) ? count : 0;
}

/**
 * Fills in sizes that the past's inputs leave open, in place: from the declaration of the matching output, and from numbers
 * that an exporter wrote as names.
 */
function settleDeclared(graph: GraphProto): void {
  const dimsOf = ({ type }: GraphProto['input'][number]) =>
    type?.value.case === 'tensorType' ? type.value.value.shape?.dim : undefined;
  const outputs = new Map(graph.output.map((output) => [output.name, dimsOf(output)]));
  const pairs = pastPairs(
    graph.input.map(({ name }) => name),
    [...outputs.keys()],
  );
  for (const input of graph.input) {
    const next = pairs.get(input.name);
    const [before, after] = [dimsOf(input), next === undefined ? undefined : outputs.get(next)];
    before?.forEach(({ value }, axis) => {
      if (value.case === 'dimValue') return;
      const told = after?.length === before.length ? after[axis]!.value : undefined;
      if (told?.case === 'dimValue' && told.value > 0n) before[axis]!.value = told;
      else if (next !== undefined && value.case === 'dimParam' && /^\d+$/.test(value.value))
        before[axis]!.value = { case: 'dimValue', value: BigInt(value.value) };
    });
  }
}

/**
 * Fills in the width of keys and values where inputs leave it open, in place: the columns of a layer's product divided by
 * the number of heads. An empty past cannot be created without it.
 */
export function settlePast(graph: GraphProto): void {
  settleDeclared(graph);
  const open = graph.input.flatMap(({ name, type }) => {
    const [, number, part] = /^past_key_values\.(\d+)\.(key|value)$/.exec(name) ?? [];
    const dims = type?.value.case === 'tensorType' ? type.value.value.shape?.dim : undefined;
    const [, heads, , width] = dims ?? [];
    return number !== undefined && heads?.value.case === 'dimValue' && width && width.value.case !== 'dimValue'
      ? [
          {
            number: Number(number),
            role: part === 'key' ? ('k' as const) : ('v' as const),
            heads: heads.value.value,
            width,
          },
        ]
      : [];
  });
  if (open.length === 0) return;
  const index = indexOf(graph);
  const products = productsOf(graph, index);
  const { layers } = follow(graph, index, products);
  const given = new Map(products.map(({ output, dOut }) => [output, dOut]));
  for (const { number, role, heads, width } of open) {
    const piece = layers.get(number)?.[role];
    const columns = piece && BigInt(piece.width ?? piece.product.dOut);
    if (columns !== undefined && heads > 0n && columns % heads === 0n)
      width.value = { case: 'dimValue', value: columns / heads };
    else {
      // The attention may be readable where what follows it is not.
      const n = makerOf(index, `present.${number}.key`);
      const packed = n?.input[0] ?? '';
      // A bias may come between the product and the attention.
      const inputs = [packed, ...(index.producers.get(packed)?.input ?? [])];
      const columns = inputs.map((name) => given.get(name)).find((dOut) => dOut !== undefined);
      const head = n && packedHeads(n, columns ?? NaN)?.head;
      if (head !== undefined) width.value = { case: 'dimValue', value: BigInt(head) };
    }
  }
}

/**
 * Lets every layer's keys and values grow, in place. Attention with a window sees only the window either way, but if the
 * exporter says that only the window is kept, memory for all of it is needed from the start.
 */
export function growPast(graph: GraphProto): void {
  for (const n of graph.node) n.attribute = n.attribute.filter(({ name }) => name !== 'sliding_window_cache');
}
