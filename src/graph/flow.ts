/**
 * Identifies products without names by where their outputs flow. Keys and values end in the graph's outputs, which are
 * numbered by layer; the product that they and one more flow into is the attention's output; the rest belong to the MLP.
 * Anything that deviates from this is left unidentified.
 */
import { DataType, intAttribute } from './model.js';
import type { GraphProto, NodeProto } from './onnx_pb.js';
import type { Index, Product } from './products.js';

/** A product, or some of its columns. */
export interface Piece {
  readonly product: Product;
  readonly from?: number;
  readonly width?: number;
}

type Role = 'q' | 'k' | 'v' | 'qkv' | 'o' | 'gate' | 'up' | 'gateUp' | 'fc' | 'down';

/** A layer's products by role; `fc` and `gateUp` are the MLP's first product if it has only one. */
export type Layer = Readonly<Partial<Record<Role, Piece>>>;

/** The work grows with the square of these; no model has as many. */
const mostLayers = 1000;
const mostProducts = 20_000;

/** Operators that take q, k and v and give keys and values as their second and third output. */
const attentions = new Set(['GroupQueryAttention', 'MultiHeadAttention', 'Attention']);

/** Operators that return only a value's size: its numbers flow no further. */
const sizes = new Set(['Shape', 'Size']);

/** Operators that at most add a bias to the numbers. */
const linear = new Set(['Add', 'Cast', 'Reshape', 'Identity', 'Transpose', 'Unsqueeze', 'Squeeze', 'Split', 'Slice']);

export interface Followed {
  /** By layer number, each with the roles that are certain. */
  readonly layers: ReadonlyMap<number, Layer>;
  /** The product that computes the logits. */
  readonly head?: Product;
}

export function follow(graph: GraphProto, index: Index, products: readonly Product[]): Followed {
  const numbers = numbered(graph);
  if (numbers.length > mostLayers || products.length > mostProducts) return { layers: new Map() };
  const flow = new Flow(graph.node, index, products);
  const layers = new Map<number, Layer>();
  /** What has been added to the residual stream so far. */
  const added = new Set<Product>();
  const attentionsOf = numbers.map(([i, key, value]) => [i, attention(flow, products, key, value)] as const);
  const inAttention = new Set(attentionsOf.flatMap(([, layer]) => Object.values(layer).map(({ product }) => product)));
  const others = products.filter((product) => !inAttention.has(product));
  for (const [i, layer] of attentionsOf) {
    const o = layer.o?.product;
    if (!o) break;
    const before = new Set(added);
    added.add(o);
    const mlp = mlpOf(flow, others, [before, added]);
    layers.set(i, { ...layer, ...mlp });
    if (!mlp.down) break;
    added.add(mlp.down.product);
  }
  const head = only(flow.sources('logits'));
  return { layers, ...(head && { head }) };
}

/** Each layer's number and the names of its keys and values, in order. */
function numbered({ output }: GraphProto): [number, string, string][] {
  const names = new Set(output.map(({ name }) => name));
  const layers = [...names].flatMap((name): [number, string, string][] => {
    const number = /^present\.(\d+)\.key$/.exec(name)?.[1];
    const value = `present.${number}.value`;
    return number !== undefined && names.has(value) ? [[Number(number), name, value]] : [];
  });
  return layers.sort(([a], [b]) => a - b);
}

function attention(flow: Flow, products: readonly Product[], key: string, value: string): Layer {
  const [k, v] = [only(flow.sources(key)), only(flow.sources(value))];
  if (!k || !v) return {};
  const outputs = products.filter((product) => {
    const sources = flow.sources(product.input);
    return sources.has(k) && sources.has(v) && sources.size === (k === v ? 1 : 3);
  });
  const o = only(new Set(outputs));
  if (!o) return {};
  if (k === v) return { qkv: { product: k }, o: { product: o }, ...cut(flow, k, key, value) };
  const q = [...flow.sources(o.input)].find((product) => product !== k && product !== v)!;
  return q.input === k.input && k.input === v.input
    ? { q: { product: q }, k: { product: k }, v: { product: v }, o: { product: o } }
    : {};
}

/** Columns of q, k and v in a packed product, if the graph shows which they are. */
function cut(flow: Flow, product: Product, key: string, value: string): Layer {
  return cutByAttention(flow, product, key) ?? cutBySplit(flow, product, key, value) ?? {};
}

/** If the attention operator takes q, k and v packed, its attributes give their widths. */
function cutByAttention(flow: Flow, product: Product, key: string): Layer | undefined {
  const n = makerOf(flow.index, key);
  const found = n && packedHeads(n, product.dOut);
  if (!found) return undefined;
  const { heads, keyHeads, head } = found;
  return {
    q: { product, from: 0, width: heads * head },
    k: { product, from: heads * head, width: keyHeads * head },
    v: { product, from: (heads + keyHeads) * head, width: keyHeads * head },
  };
}

/** Number and width of the heads that an attention operator makes of q, k and v packed into `columns` columns. */
export function packedHeads(
  n: NodeProto,
  columns: number,
): { readonly heads: number; readonly keyHeads: number; readonly head: number } | undefined {
  if (n.opType !== 'GroupQueryAttention' || n.input[1] || n.input[2]) return undefined;
  const [heads, keyHeads] = [intAttribute(n, 'num_heads'), intAttribute(n, 'kv_num_heads')];
  if (!heads || !keyHeads || columns % (heads + 2 * keyHeads) !== 0) return undefined;
  return { heads, keyHeads, head: columns / (heads + 2 * keyHeads) };
}

/** The node that produces a value, skipping casts: a half-precision file may cast its inputs and outputs. */
export function makerOf({ producers }: Index, value: string): NodeProto | undefined {
  return behind(producers, value, new Set(['Cast', 'Identity']));
}

/** The nearest node upstream of a value that is not one of these operators. */
function behind(producers: Index['producers'], value: string, operators: ReadonlySet<string>): NodeProto | undefined {
  let n = producers.get(value);
  for (let steps = 0; n && operators.has(n.opType) && steps < 8; steps++) n = producers.get(n.input[0]!);
  return n;
}

/** If the product's output is split in three and one part becomes keys, another values. */
function cutBySplit(flow: Flow, product: Product, key: string, value: string): Layer | undefined {
  const split = flow.nodes.find((n) => n.opType === 'Split' && flow.isPlain(n.input[0]!, product));
  const widths = split && integersOf(flow.index, split.input[1] ?? '');
  if (split?.output.length !== 3 || widths?.length !== 3) return undefined;
  if (widths.reduce((sum, width) => sum + width, 0) !== product.dOut) return undefined;
  const stops = new Set(split.output);
  const [k, v] = [only(flow.reached(key, stops)), only(flow.reached(value, stops))];
  const q = split.output.find((name) => name !== k && name !== v);
  if (k === undefined || v === undefined || k === v || q === undefined) return undefined;
  const piece = (name: string): Piece => {
    const at = split.output.indexOf(name);
    return { product, from: widths.slice(0, at).reduce((sum, width) => sum + width, 0), width: widths[at]! };
  };
  return { q: piece(q), k: piece(k), v: piece(v) };
}

function integersOf({ initializers, producers }: Index, name: string): number[] | undefined {
  const constant = producers.get(name)?.attribute.find((a) => a.name === 'value' || a.name === 'value_ints');
  if (constant && constant.ints.length > 0) return constant.ints.map(Number);
  const tensor = initializers.get(name) ?? constant?.t;
  if (tensor?.dataType !== DataType.INT64) return undefined;
  if (tensor.int64Data.length > 0) return tensor.int64Data.map(Number);
  return Array.from(new BigInt64Array(new Uint8Array(tensor.rawData).buffer), Number);
}

/** @param residuals what the MLP's input may be the sum of: with attention in parallel, or before the MLP */
function mlpOf(flow: Flow, others: readonly Product[], residuals: readonly ReadonlySet<Product>[]): Layer {
  const firsts = others.filter((product) => residuals.some((sum) => isSame(flow.sources(product.input), sum)));
  if (firsts.length === 0 || firsts.length > 2) return {};
  const down = only(new Set(others.filter((product) => isSame(flow.sources(product.input), new Set(firsts)))));
  if (!down) return {};
  const [a, b] = firsts as [Product, Product?];
  if (!b) {
    const first = { product: a };
    return { fc: first, up: first, gateUp: first, down: { product: down } };
  }
  const up = only(new Set([a, b].filter((product) => flow.isFactor(product, down.input))));
  if (!up || a.input !== b.input) return { down: { product: down } };
  return { up: { product: up }, gate: { product: up === a ? b : a }, down: { product: down } };
}

function only<T>(values: ReadonlySet<T>): T | undefined {
  return values.size === 1 ? [...values][0] : undefined;
}

function isSame<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean {
  return a.size === b.size && [...a].every((value) => b.has(value));
}

/** Which products a value is computed from, looking no further back than the nearest ones. */
class Flow {
  readonly #byOutput: ReadonlyMap<string, Product>;
  readonly #sources = new Map<string, ReadonlySet<Product>>();

  constructor(
    readonly nodes: readonly NodeProto[],
    readonly index: Index,
    products: readonly Product[],
  ) {
    this.#byOutput = new Map(products.map((product) => [product.output, product]));
  }

  sources(value: string): ReadonlySet<Product> {
    let found = this.#sources.get(value);
    if (!found) {
      const outputs = this.reached(value, this.#byOutput);
      found = new Set([...outputs].map((output) => this.#byOutput.get(output)!));
      this.#sources.set(value, found);
    }
    return found;
  }

  /** Which of the values `stops` flow into `value`. */
  reached(value: string, stops: { has(name: string): boolean }): Set<string> {
    const found = new Set<string>();
    const seen = new Set<string>();
    const open = [value];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (!name || seen.has(name)) continue;
      seen.add(name);
      const n = this.index.producers.get(name);
      if (stops.has(name)) found.add(name);
      else if (n && !sizes.has(n.opType)) open.push(...inputsFor(n, name));
    }
    return found;
  }

  /** Whether `value` is, apart from casts and reshapes, a multiplication by this product's unchanged output. */
  isFactor(product: Product, value: string): boolean {
    const mul = behind(this.index.producers, value, new Set(['Cast', 'Reshape', 'Identity']));
    return mul?.opType === 'Mul' && mul.input.some((name) => this.isPlain(name, product));
  }

  /** Whether a value is this product's output, perhaps plus a bias. */
  isPlain(value: string, product: Product): boolean {
    let name = value;
    for (let steps = 0; steps < 8; steps++) {
      if (name === product.output) return true;
      const n = this.index.producers.get(name);
      if (!n || !linear.has(n.opType)) return false;
      const isBias = (input: string) => this.index.initializers.has(input);
      if (n.opType === 'Add' && !n.input.some(isBias)) return false;
      name = n.input.find((input) => !isBias(input)) ?? '';
    }
    return false;
  }
}

/** The inputs that one of a node's outputs is computed from. */
function inputsFor(n: NodeProto, output: string): string[] {
  const at = n.output.indexOf(output);
  if (attentions.has(n.opType) && (at === 1 || at === 2)) return n.input[at] ? [n.input[at]] : [n.input[0]!];
  return n.input;
}
