/** The last hidden state: what a language model's head reads. */
import { DataType, type GraphProto, type ModelProto, int64s, invalidBase, node, valueInfo } from './model.js';
import { names } from './route.js';
import { type Walk, isConstant, walkOf } from './walk.js';

/** Operators between the head's product and the logits that leave each token by itself: a bias, a factor, a cap. */
const afterwards = new Set(['Add', 'Mul', 'Div', 'Tanh', 'Cast', 'Identity', 'Reshape']);

/**
 * Gives the graph the output `gander.hidden` [T, d], in place.
 *
 * @throws GanderError `base-invalid` if the head is not found, or does not read d numbers
 */
export function insertHidden({ graph }: ModelProto & { graph: GraphProto }, width: number): void {
  const walk = walkOf(graph);
  const heads = new Set(headsOf(walk, 'logits', 16));
  const [head] = heads;
  if (head === undefined || heads.size > 1)
    throw invalidBase(
      'The base does not show what its head reads, which an X-LoRA classifier reads, too',
      'Export it without optimisation, for example with gander-training export-base --float.',
    );
  const { input, dIn } = walk.products.get(head)!;
  if (dIn !== width)
    throw invalidBase(
      `The X-LoRA classifier reads ${width} numbers of a token, and the base's head ${dIn}`,
      'Import it again with the base that it was trained with.',
    );
  const shape = 'gander.hidden.shape';
  graph.initializer.push(int64s(shape, [-1, width]));
  const after = graph.node.findIndex(({ output }) => output.includes(input)) + 1;
  graph.node.splice(after, 0, node('Reshape', [input, shape], [names.hidden]));
  // The routing's last output must stay last (route.ts).
  graph.output.unshift(valueInfo(names.hidden, DataType.FLOAT, ['gander.tokens', width]));
}

/** Outputs of the products that a value is computed from, through at most `most` operators. Equal inputs count once. */
function headsOf(walk: Walk, value: string, most: number): string[] {
  if (walk.products.has(value)) return [value];
  const n = walk.producers.get(value);
  if (!n || most === 0 || !afterwards.has(n.opType)) return [];
  const inputs = n.opType === 'Reshape' ? n.input.slice(0, 1) : n.input.filter((name) => !isConstant(walk, name));
  const found = inputs.flatMap((name) => headsOf(walk, name, most - 1));
  // An 8-bit head is the sum of two products of one input (halves.ts).
  const reads = new Set(found.map((name) => walk.products.get(name)!.input));
  return reads.size === 1 ? found.slice(0, 1) : found;
}
