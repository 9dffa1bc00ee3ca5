import type { Index, Product } from './products.js';

/** Operators that pick rows by indices known only at run time. */
const pickers = new Set(['Gather', 'GatherND', 'GatherElements', 'Compress']);

/** Operators whose rows come from their first input; their other inputs only say where or how many. */
const ofFirst = new Set([
  'Reshape',
  'Expand',
  'Slice',
  'Tile',
  'Unsqueeze',
  'Squeeze',
  'ScatterND',
  'ScatterElements',
  'Pad',
  'Split',
  ...pickers,
]);

/** Operators whose output is never a hidden state. */
const sizes = new Set(['Shape', 'Size', 'NonZero']);

/**
 * Whether a value has one row per token, in the tokens' order. A mixture gathers the tokens of each expert instead and
 * scatters the results: there a pool's router would score the wrong rows.
 */
export function tokenRows(
  { producers, initializers }: Index,
  products: readonly Product[],
): (value: string) => boolean {
  const byOutput = new Map(products.map((product) => [product.output, product]));
  const known = new Map<string, 'picked' | 'hidden' | 'none'>();
  /** What is in a value: hidden states by token, hidden states that were picked, or none at all (positions, masks). */
  const kindOf = (value: string): 'picked' | 'hidden' | 'none' => known.get(value) ?? 'none';
  const settle = (value: string): void => {
    const product = byOutput.get(value);
    const n = producers.get(value);
    if (product) {
      known.set(value, kindOf(product.input) === 'picked' ? 'picked' : 'hidden');
      return;
    }
    if (!n || sizes.has(n.opType)) {
      known.set(value, 'none');
      return;
    }
    const kinds = inputsOf(value).map(kindOf);
    const isPicked = pickers.has(n.opType) && kinds.includes('hidden') && !isConstant(n.input[1]);
    known.set(value, isPicked || kinds.includes('picked') ? 'picked' : kinds.includes('hidden') ? 'hidden' : 'none');
  };
  const isConstant = (name: string | undefined): boolean =>
    name !== undefined && (initializers.has(name) || producers.get(name)?.opType === 'Constant');
  const inputsOf = (value: string): string[] => {
    const product = byOutput.get(value);
    if (product) return [product.input];
    const n = producers.get(value);
    if (!n || sizes.has(n.opType)) return [];
    return (ofFirst.has(n.opType) ? n.input.slice(0, 1) : n.input).filter(Boolean);
  };
  return (value) => {
    // Depth first without recursion: a graph may be deeper than the stack.
    const open = [value];
    const entered = new Set<string>();
    while (open.length > 0) {
      const top = open.at(-1)!;
      if (known.has(top)) open.pop();
      else if (entered.has(top)) {
        settle(top);
        open.pop();
      } else {
        entered.add(top);
        open.push(...inputsOf(top).filter((name) => !known.has(name) && !entered.has(name)));
      }
    }
    return kindOf(value) !== 'picked';
  };
}
