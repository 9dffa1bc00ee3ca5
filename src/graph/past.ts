import { follow, makerOf, packedHeads } from './flow.js';
import type { GraphProto } from './onnx_pb.js';
import { indexOf, productsOf } from './products.js';

/**
 * Writes the width of keys and values into inputs that leave it open, in place: what a layer's product gives, shared out
 * among the heads. Without it nobody could make an empty past.
 */
export function settlePast(graph: GraphProto): void {
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
      // What follows the attention may be beyond reading and the attention not.
      const n = makerOf(index, `present.${number}.key`);
      const head = n && packedHeads(n, given.get(n.input[0] ?? '') ?? NaN)?.head;
      if (head !== undefined) width.value = { case: 'dimValue', value: BigInt(head) };
    }
  }
}
