import type { Product } from '../products.js';
import { type Walk, usersOf } from '../walk.js';

/** Operators that leave a value's numbers as they are. */
const shapes = new Set(['Reshape', 'Cast', 'Identity', 'Flatten', 'Squeeze', 'Unsqueeze']);

/**
 * [T, 1] the factor on the shared expert's output: σ of the product of the router's input and one vector. Undefined if there
 * is no shared expert, or if its output is added without a factor.
 */
export function gateOf(walk: Walk, router: Product): string | undefined {
  const seen = sourceOf(walk, router.input);
  for (const product of walk.products.values()) {
    if (product.dOut !== 1 || sourceOf(walk, product.input) !== seen) continue;
    const gate = usersOf(walk, product.output).find(({ opType }) => opType === 'Sigmoid')?.output[0];
    if (gate !== undefined && usersOf(walk, gate).some(({ opType }) => opType === 'Mul')) return gate;
  }
  return undefined;
}

function sourceOf({ producers }: Walk, value: string): string {
  let name = value;
  for (let steps = 0; steps < 16; steps++) {
    const n = producers.get(name);
    if (!n || !shapes.has(n.opType)) break;
    name = n.input[0]!;
  }
  return name;
}
