import { type Followed, type Layer, follow } from './flow.js';
import type { GraphProto, NodeProto } from './onnx_pb.js';
import { type Product, indexOf, productsOf } from './products.js';
import { tokenRows } from './rows.js';

/** Where one adapted module is computed in the base graph. */
export interface FoundModule {
  readonly path: string;
  /** Name of the module's input u. */
  readonly input: string;
  readonly dIn: number;
  readonly dOut: number;
  /** What computes W u: one product, or several into which an exporter split a packed layer. */
  readonly products: readonly Product[];
  /** The module's first column, if the product computes other modules too (a packed projection). */
  readonly from?: number;
}

export interface Found {
  readonly modules: ReadonlyMap<string, FoundModule>;
  /** Why each of the other modules could not be placed. */
  readonly missing: ReadonlyMap<string, string>;
}

/** Operators to whose product nothing can be added, and why. */
const int8 = 'rounds activations to 8 bits by the largest of all tokens that run together';
const unplaceable: Readonly<Record<string, string>> = {
  MatMulInteger: int8,
  DynamicQuantizeMatMul: int8,
  MatMulIntegerToFloat: int8,
  QLinearMatMul: 'multiplies in 8 bits',
  QGemm: 'multiplies in 8 bits',
  QAttention: 'multiplies in 8 bits',
  FusedGemm: 'includes the activation function',
  FusedMatMul: 'has a factor in it, of its input or of what it gives',
  MatMulBnb4: 'has weights in a format that Gander does not support',
};

/**
 * Finds each module's multiplication by, in this order, an initializer named like the parameter, the exporter's scope in the
 * node's name, and the metadata of torch.onnx's newer exporter; if no name matches, by where its output flows (flow.ts).
 *
 * @param paths Hugging Face module paths, e.g. `model.layers.7.self_attn.q_proj`
 */
export function findModules(graph: GraphProto, paths: Iterable<string>): Found {
  const index = indexOf(graph);
  const products = productsOf(graph, index);
  const byName = [new Names(), new Names(), new Names()] as const;
  for (const product of products) {
    const [weights, scopes, metadata] = byName;
    const { weight, scope, traced } = namesOf(product);
    weights.add(weight, product);
    scopes.add(scope, product);
    if (traced !== undefined) metadata.add(traced, product);
  }
  let followed: Followed | undefined;
  const whyMissing = reasons(graph);
  const isByToken = tokenRows(index, products);
  const modules = new Map<string, FoundModule>();
  const taken = new Map<Product, readonly FoundModule[]>();
  const missing = new Map<string, string>();
  for (const path of paths) {
    const named = byName.map((names) => names.find(path)).find((product) => product !== undefined);
    const module = named ? moduleOf(path, [named]) : moduleByFlow(path, (followed ??= follow(graph, index, products)));
    const other = module && claimed(module, taken);
    if (!module) missing.set(path, whyMissing(path));
    else if (other) missing.set(path, `it is the same multiplication as ${other.path}, which is placed already`);
    else if (!isByToken(module.input))
      missing.set(path, 'its rows are not the tokens: a MoE gathers those of each of its experts');
    else {
      modules.set(path, module);
      for (const product of module.products) taken.set(product, [...(taken.get(product) ?? []), module]);
    }
  }
  return { modules, missing };
}

/** A module, placed already, that shares columns of a product with this one. */
function claimed(module: FoundModule, taken: ReadonlyMap<Product, readonly FoundModule[]>): FoundModule | undefined {
  return module.products
    .flatMap((product) => taken.get(product) ?? [])
    .find((other) => module.from === undefined || other.from === undefined || module.from === other.from);
}

function moduleOf(path: string, products: readonly Product[], from?: number, width?: number): FoundModule {
  const { input, dIn } = products[0]!;
  const dOut = width ?? products.reduce((sum, product) => sum + product.dOut, 0);
  return { path, input, dIn, dOut, products, ...(from !== undefined && { from }) };
}

/** A module's role, by the last part of its path. */
const roles: Readonly<Record<string, keyof Layer>> = {
  q_proj: 'q',
  query: 'q',
  k_proj: 'k',
  key: 'k',
  v_proj: 'v',
  value: 'v',
  qkv_proj: 'qkv',
  query_key_value: 'qkv',
  c_attn: 'qkv',
  Wqkv: 'qkv',
  W_pack: 'qkv',
  o_proj: 'o',
  out_proj: 'o',
  dense: 'o',
  gate_proj: 'gate',
  up_proj: 'up',
  gate_up_proj: 'gateUp',
  fc1: 'fc',
  c_fc: 'fc',
  fc_in: 'fc',
  dense_h_to_4h: 'fc',
  down_proj: 'down',
  fc2: 'down',
  fc_out: 'down',
  dense_4h_to_h: 'down',
};

/** Packed layers whose columns are their parts one after another (other models interleave them head by head). */
const packed: readonly (readonly [end: string, parts: readonly (keyof Layer)[]])[] = [
  ['self_attn.qkv_proj', ['q', 'k', 'v']],
  ['mlp.gate_up_proj', ['gate', 'up']],
];

function moduleByFlow(path: string, { layers, head }: Followed): FoundModule | undefined {
  const steps = path.split('.');
  const last = steps.at(-1)!;
  const numbers = steps.filter((step) => /^\d+$/.test(step));
  if (numbers.length === 0 && last === 'lm_head') return head && moduleOf(path, [head]);
  const layer = numbers.length === 1 ? layers.get(Number(numbers[0])) : undefined;
  if (!layer) return undefined;
  const role = last === 'c_proj' ? (steps.includes('attn') ? 'o' : 'down') : roles[last];
  const piece = role && layer[role];
  if (piece) return moduleOf(path, [piece.product], piece.from, piece.width);
  const parts = packed.find(([end]) => path.endsWith(end))?.[1].map((part) => layer[part]);
  if (!parts?.every((part) => part !== undefined && part.from === undefined)) return undefined;
  const products = parts.map((part) => part!.product);
  return products.every(({ input }) => input === products[0]!.input) ? moduleOf(path, products) : undefined;
}

/** Says why a module was not found. */
function reasons(graph: GraphProto): (path: string) => string {
  const fused = graph.node.filter(({ opType }) => Object.hasOwn(unplaceable, opType));
  const byScope = new Map(fused.map((n) => [scopeKey(fusedScope(n.name)), n]));
  // Attention has products with factors too, so a FusedMatMul elsewhere explains nothing.
  const anywhere = fused.find(({ opType }) => opType !== 'FusedMatMul');
  return (path) => {
    const n = byScope.get(scopeKey(path)) ?? anywhere;
    if (n)
      return `the graph multiplies by ${n.opType}, which ${unplaceable[n.opType]}; export with float weights and not optimised, or with weights alone in 4 or 8 bits (MatMulNBits)`;
    return `looked for an initializer "${path}.weight", a node "/${path.replaceAll('.', '/').replace(/(layers|h)\/(\d+)/, '$1.$2')}/MatMul", torch.onnx metadata "${path}", and for what flows into the keys and values`;
  };
}

/** Products by one kind of name. */
class Names {
  /** By the path from the layer's number on; what precedes it may differ. */
  readonly #byTail = new Map<string, { readonly key: string; readonly product: Product }[]>();

  add(name: string, product: Product): void {
    const key = scopeKey(name);
    const entry = { key, product };
    const list = this.#byTail.get(tailOf(key));
    if (list) list.push(entry);
    else this.#byTail.set(tailOf(key), [entry]);
  }

  /** Undefined if two multiplications have the name: choosing one would be a guess. */
  find(path: string): Product | undefined {
    const key = scopeKey(path);
    const near = this.#byTail.get(tailOf(key)) ?? [];
    const same = near.filter((entry) => entry.key === key);
    const chosen = same.length > 0 ? same : near.filter((entry) => agree(entry.key, key));
    return chosen.length === 1 ? chosen[0]!.product : undefined;
  }
}

/** The graph's root may be above or below that of the path: `model.decoder.layers.0` and `decoder.layers.0`. */
function agree(a: string, b: string): boolean {
  return a === b || (a !== '' && b.endsWith(`.${a}`)) || (b !== '' && a.endsWith(`.${b}`));
}

function tailOf(key: string): string {
  const parts = key.split('.');
  const number = parts.findIndex((part) => /^\d+$/.test(part));
  return parts.slice(number < 0 ? -1 : number).join('.');
}

/** Exporters write `attn` for `self_attn`. */
function scopeKey(scope: string): string {
  return scope.replace(/(^|\.)self_attn(\.|$)/, '$1attn$2');
}

/** A product's names: from its weight, from its node, and from torch.onnx's newer exporter, if that wrote the graph. */
export function namesOf({ node, weight }: Product): {
  readonly weight: string;
  readonly scope: string;
  readonly traced: string | undefined;
} {
  return { weight: weightPath(weight), scope: fusedScope(node.name), traced: metadataScope(node) };
}

function weightPath(weight: string): string {
  return weight.replace(/(?:\.weight|\.MatMul\.weight)?(?:_(?:Q\d+\w*|quantized|quant))?$/, '');
}

function scopePath(nodeName: string): string {
  return nodeName.split('/').filter(Boolean).slice(0, -1).join('.');
}

/** onnxruntime's optimiser appends the fusion's name: `/…/c_proj/MatMul/MatMulScaleFusion/`. */
function fusedScope(nodeName: string): string {
  return scopePath(nodeName.replace(/(?:\/+\w*Fusion)+\/*$/, ''));
}

/** The innermost module in `pkg.torch.onnx.name_scopes`, a Python list of strings that ends with the operator. */
function metadataScope(n: NodeProto): string | undefined {
  const value = n.metadataProps.find(({ key }) => key === 'pkg.torch.onnx.name_scopes')?.value;
  const scopes = value?.match(/'[^']*'/g)?.map((quoted) => quoted.slice(1, -1));
  return scopes?.at(-2);
}
