import type { GraphProto, NodeProto, TensorProto } from './onnx_pb.js';
import { intAttribute } from './model.js';

/** Where one adapted module is computed in the base graph. */
export interface Site {
  readonly path: string;
  readonly node: NodeProto;
  /** Name of the module's input u, before any Reshape that only a Gemm needs: modules with the same input share a group. */
  readonly input: string;
  readonly dIn: number;
  readonly dOut: number;
  /** Name of the bias that the node itself adds, which is no part of W u. */
  readonly bias?: string;
}

export interface Found {
  readonly sites: ReadonlyMap<string, Site>;
  /** For each module that could not be placed, what was looked for. */
  readonly missing: ReadonlyMap<string, string>;
}

/** Operators that multiply by a weight. */
const multipliers = new Set(['MatMul', 'Gemm', 'MatMulNBits']);

/** Operators through which a weight keeps its name. */
const passers = new Set(['Transpose', 'DequantizeLinear', 'Cast', 'Identity']);

/**
 * Finds each module's multiplication, in this order: an initializer named like the parameter, the exporter's scope in
 * the node's name, the metadata of torch.onnx's newer exporter.
 *
 * @param paths Hugging Face module paths, e.g. `model.layers.7.self_attn.q_proj`
 */
export function findModules(graph: GraphProto, paths: Iterable<string>): Found {
  const producers = new Map<string, NodeProto>();
  for (const n of graph.node) for (const output of n.output) if (output) producers.set(output, n);
  const initializers = new Map(graph.initializer.map((t) => [t.name, t]));
  const byWeight = new Map<string, NodeProto[]>();
  const byScope = new Map<string, NodeProto[]>();
  const byMetadata = new Map<string, NodeProto[]>();
  for (const n of graph.node) {
    if (!multipliers.has(n.opType)) continue;
    const weight = weightName(n, producers, initializers);
    if (weight === undefined) continue;
    push(byWeight, weight.replace(/(?:\.weight|\.MatMul\.weight)?(?:_(?:Q\d+\w*|quantized|quant))?$/, ''), n);
    push(byScope, scopeKey(n.name.split('/').filter(Boolean).slice(0, -1).join('.')), n);
    for (const scope of metadataScopes(n)) push(byMetadata, scope, n);
  }
  const sites = new Map<string, Site>();
  const missing = new Map<string, string>();
  for (const path of paths) {
    const candidates = [byWeight.get(path), byScope.get(scopeKey(path)), byMetadata.get(path)];
    // Two multiplications of the same name would make the choice a guess.
    const chosen = candidates.find((nodes) => nodes?.length === 1)?.[0];
    const site = chosen && siteOf(path, chosen, producers, initializers);
    if (site) sites.set(path, site);
    else {
      missing.set(
        path,
        `looked for an initializer "${path}.weight", a node "/${path.replaceAll('.', '/').replace(/layers\/(\d+)/, 'layers.$1')}/MatMul" and torch.onnx metadata "${path}"`,
      );
    }
  }
  return { sites, missing };
}

/** Exporters write `attn` for `self_attn`, and a graph may or may not begin at `model`. */
function scopeKey(scope: string): string {
  return scope.replace(/(^|\.)self_attn(\.|$)/, '$1attn$2');
}

function push(map: Map<string, NodeProto[]>, key: string, n: NodeProto): void {
  const list = map.get(key);
  if (list) list.push(n);
  else map.set(key, [n]);
}

/** The name of the initializer that the node multiplies by; undefined for a product of two activations. */
function weightName(
  n: NodeProto,
  producers: ReadonlyMap<string, NodeProto>,
  initializers: ReadonlyMap<string, TensorProto>,
): string | undefined {
  let name = n.input[1];
  for (let steps = 0; name !== undefined && steps < 4; steps++) {
    if (initializers.has(name)) return name;
    const producer = producers.get(name);
    if (producer?.opType === 'Constant') return name;
    if (!producer || !passers.has(producer.opType)) return undefined;
    name = producer.input[0];
  }
  return undefined;
}

/** The newest module scope of `pkg.torch.onnx.name_scopes`, a Python list of strings, whose last item is the operator. */
function metadataScopes(n: NodeProto): string[] {
  const value = n.metadataProps.find(({ key }) => key === 'pkg.torch.onnx.name_scopes')?.value;
  const scopes = value?.match(/'[^']*'/g)?.map((quoted) => quoted.slice(1, -1));
  const last = scopes?.at(-2);
  return last ? [last] : [];
}

function siteOf(
  path: string,
  n: NodeProto,
  producers: ReadonlyMap<string, NodeProto>,
  initializers: ReadonlyMap<string, TensorProto>,
): Site | undefined {
  const sizes = weightSizes(n, producers, initializers);
  const raw = n.input[0];
  if (!sizes || !raw || !n.output[0]) return undefined;
  let input = raw;
  if (n.opType === 'Gemm') {
    if ((intAttribute(n, 'transA') ?? 0) !== 0 || floatAttribute(n, 'alpha') !== 1 || floatAttribute(n, 'beta') !== 1)
      return undefined;
    const reshape = producers.get(raw);
    if (reshape?.opType === 'Reshape' && reshape.input[0]) input = reshape.input[0];
  }
  const bias = n.opType === 'Gemm' ? n.input[2] : n.opType === 'MatMulNBits' ? n.input[5] : undefined;
  return { path, node: n, input, ...sizes, ...(bias && { bias }) };
}

function floatAttribute(n: NodeProto, name: string): number {
  return n.attribute.find((a) => a.name === name)?.f ?? 1;
}

function weightSizes(
  n: NodeProto,
  producers: ReadonlyMap<string, NodeProto>,
  initializers: ReadonlyMap<string, TensorProto>,
): { dIn: number; dOut: number } | undefined {
  if (n.opType === 'MatMulNBits') {
    const dIn = intAttribute(n, 'K');
    const dOut = intAttribute(n, 'N');
    return dIn && dOut ? { dIn, dOut } : undefined;
  }
  let flipped = n.opType === 'Gemm' && intAttribute(n, 'transB') === 1;
  let name = n.input[1];
  for (let steps = 0; name !== undefined && steps < 4; steps++) {
    const dims = initializers.get(name)?.dims ?? constantDims(producers.get(name));
    if (dims) {
      if (dims.length !== 2) return undefined;
      const [rows, columns] = dims.map(Number) as [number, number];
      return flipped ? { dIn: columns, dOut: rows } : { dIn: rows, dOut: columns };
    }
    const producer = producers.get(name);
    if (producer?.opType === 'Transpose') flipped = !flipped;
    name = producer?.input[0];
  }
  return undefined;
}

function constantDims(n: NodeProto | undefined): bigint[] | undefined {
  return n?.opType === 'Constant' ? n.attribute.find((a) => a.name === 'value')?.t?.dims : undefined;
}
