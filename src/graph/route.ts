import type { Site } from './find.js';
import {
  DataType,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  externalFloats,
  floats,
  int64s,
  node,
  opset,
  valueInfo,
} from './model.js';

/** Numbers in a file beside the composed model. */
export interface Stored {
  readonly location: string;
  /** Bytes. */
  readonly offset: number;
}

/** Modules with the same input, which share one set of router products. */
export interface Group {
  readonly sites: readonly Site[];
  readonly dIn: number;
  /** The largest rank of any expert here; smaller ones are padded with zeros. */
  readonly rank: number;
  /** [dIn, g·N·rank] A' (algebra.ts), module by module, expert by expert. */
  readonly down: Stored;
  /** For each module [N·rank, dOut] B'. */
  readonly up: readonly Stored[];
}

/** The name of the axis T. */
const tokens = 'gander.tokens';

/** Names of what the routed graph takes and gives beyond the base's own inputs and outputs. M modules in group order. */
export const names = {
  /** [1] int64, 1 ≤ k ≤ N. */
  k: 'gander.k',
  /** [1 or T, M, N] added to affinities before the choice; at most −1e30 for "never". Infinity is no good: all out would make NaN. */
  bias: 'gander.bias',
  /** [T, M, N] weights that are added to the router's. */
  fixed: 'gander.fixed',
  /** [1 or T, M, 1] what the router's weights are multiplied by: 1, or 0 for fixed weights alone. */
  share: 'gander.share',
  /** [1]: 1, or 0 for no normalisation of u (arrow). */
  normalise: 'gander.normalise',
  /** [1]: 1, or −1 for the absolute value (arrow). */
  slope: 'gander.slope',
  /** [1, T, 1] int64: the token after each. */
  targets: 'gander.targets',
  /** [T, M, N] raw affinities. */
  affinity: 'gander.affinity',
  /** [T, M, N] applied weights. */
  weight: 'gander.weight',
  /** [T, M, N] ‖s B A u‖. */
  moved: 'gander.moved',
  /** [T, M] 1 / √(‖W u‖² / dOut). */
  base: 'gander.base',
  /** [1, T, 1] natural log-probability of the target. */
  logProb: 'gander.log_prob',
  /** [T, P] natural log-probabilities of the likeliest next tokens, and their ids (int64). */
  topLogProb: 'gander.top_log_prob',
  topIds: 'gander.top_ids',
  /** [1, V] logits of the last position. */
  last: 'gander.last_logits',
} as const;

/**
 * [dIn, g·N] router vectors as columns, module by module: inputs, not initializers, so that one graph serves every
 * strategy that has vectors of its own (and initializers that a run may replace are not offered by onnxruntime-node).
 */
export function routerInput(group: number): string {
  return `gander.router.${group}`;
}

/**
 * Puts the routing into the base graph, in place. The base's own nodes stay as they are, except that what a module gives
 * is renamed and the sum with the experts' part takes its name.
 *
 * For a group of g modules with input u, all experts at once (dense): S = u·V̂ · InvStd(u) + bias → top-k → softmax →
 * scattered into W [T, g, N]; Z = u·A'; y += (Z ∘ W)·B'. See algebra.ts for V̂, A' and B'.
 *
 * @param n experts
 */
export function insertRouting(model: ModelProto & { graph: GraphProto }, groups: readonly Group[], n: number): void {
  const { graph } = model;
  const builder = new Builder(graph, opset(model));
  const m = groups.reduce((sum, { sites }) => sum + sites.length, 0);
  builder.input(names.k, DataType.INT64, [1]);
  builder.input(names.bias, DataType.FLOAT, ['gander.bias_tokens', m, n]);
  builder.input(names.fixed, DataType.FLOAT, [tokens, m, n]);
  builder.input(names.share, DataType.FLOAT, ['gander.share_tokens', m, 1]);
  builder.input(names.normalise, DataType.FLOAT, [1]);
  builder.input(names.slope, DataType.FLOAT, [1]);
  builder.constant(
    int64s(
      'gander.sizes',
      groups.map(({ sites }) => sites.length),
    ),
  );
  for (const name of [names.bias, names.fixed, names.share]) {
    builder.first(
      node(
        'Split',
        [name, 'gander.sizes'],
        groups.map((_, i) => `${name}.${i}`),
        { axis: 1 },
      ),
    );
  }
  groups.forEach((group, i) => insertGroup(builder, group, i, n));
  const each = (what: string) => groups.map((_, i) => `gander.${what}.${i}`);
  builder.last(node('Concat', each('affinity'), [names.affinity], { axis: 1 }));
  builder.last(node('Concat', each('weight'), [names.weight], { axis: 1 }));
  builder.last(node('Concat', each('moved'), [names.moved], { axis: 1 }));
  const rows = groups.flatMap(({ sites }, i) => sites.map((_, j) => `gander.base.${i}.${j}`));
  builder.last(node('Concat', rows, [names.base], { axis: -1 }));
  builder.output(names.affinity, DataType.FLOAT, [tokens, m, n]);
  builder.output(names.weight, DataType.FLOAT, [tokens, m, n]);
  builder.output(names.moved, DataType.FLOAT, [tokens, m, n]);
  builder.output(names.base, DataType.FLOAT, [tokens, m]);
  builder.finish();
}

function insertGroup(builder: Builder, group: Group, i: number, n: number): void {
  const { sites, dIn, rank } = group;
  const g = sites.length;
  const own = (what: string) => `gander.${what}.${i}`;
  builder.input(routerInput(i), DataType.FLOAT, [dIn, g * n]);
  builder.constant(externalFloats(own('down'), [dIn, g * n * rank], group.down.location, group.down.offset));
  const nodes = [
    // The batch is always 1; without it Gemm can add the experts' part to the base's in place of one more pass.
    node('Reshape', [sites[0]!.input, builder.shape([-1, dIn])], [own('u')]),
    node('MatMul', [own('u'), routerInput(i)], [own('raw')]),
    // Only InvStd is wanted, but one operator costs less than the five that would compute it alone.
    node('LayerNormalization', [own('u'), builder.ones(dIn)], [own('normal'), own('mean'), own('inv_std')], {
      axis: -1,
      epsilon: { float: 1e-5 },
    }),
    node('Pow', [own('inv_std'), names.normalise], [own('factor')]),
    node('Mul', [own('raw'), own('factor')], [own('signed')]),
    node('PRelu', [own('signed'), names.slope], [own('flat')]),
    node('Reshape', [own('flat'), builder.shape([-1, g, n])], [own('affinity')]),
    node('Add', [own('affinity'), `${names.bias}.${i}`], [own('selection')]),
    node('TopK', [own('selection'), names.k], [own('best'), own('chosen')], { axis: -1 }),
    node('Softmax', [own('best')], [own('among')], { axis: -1 }),
    node('Mul', [own('among'), `${names.share}.${i}`], [own('shared')]),
    ...builder.scatterAdd(`${names.fixed}.${i}`, own('chosen'), own('shared'), own('weight')),
    node('Unsqueeze', [own('weight'), builder.shape([-1])], [own('weight4')]),
    node('MatMul', [own('u'), own('down')], [own('z')]),
    node('Reshape', [own('z'), builder.shape([-1, g, n, rank])], [own('z4')]),
    builder.reduce('ReduceL2', own('z4'), own('moved')),
    node('Mul', [own('z4'), own('weight4')], [own('weighted4')]),
    node(
      'Reshape',
      [own('weighted4'), builder.shape([-1, g * n * rank])],
      [g === 1 ? `${own('weighted')}.0` : own('weighted')],
    ),
  ];
  if (g > 1) {
    nodes.push(
      node(
        'Split',
        [own('weighted'), builder.shape(sites.map(() => n * rank))],
        sites.map((_, j) => `${own('weighted')}.${j}`),
        { axis: -1 },
      ),
    );
  }
  const [wide, narrow] = [
    [tokens, g * n],
    [tokens, g, n],
  ];
  builder.declare({
    ...Object.fromEntries(['u', 'normal'].map((what) => [own(what), [tokens, dIn]])),
    ...Object.fromEntries(['mean', 'inv_std', 'factor'].map((what) => [own(what), [tokens, 1]])),
    ...Object.fromEntries(['raw', 'signed', 'flat'].map((what) => [own(what), wide])),
    ...Object.fromEntries(['affinity', 'selection', 'weight', 'moved'].map((what) => [own(what), narrow])),
    ...Object.fromEntries(['best', 'among', 'shared'].map((what) => [own(what), [tokens, g, 'gander.width']])),
    ...Object.fromEntries(['z4', 'weighted4'].map((what) => [own(what), [tokens, g, n, rank]])),
    [own('weight4')]: [tokens, g, n, 1],
    [own('z')]: [tokens, g * n * rank],
    ...(g > 1 && { [own('weighted')]: [tokens, g * n * rank] }),
    ...Object.fromEntries(sites.map((_, j) => [`${own('weighted')}.${j}`, [tokens, n * rank]])),
  });
  builder.declare({ [own('chosen')]: [tokens, g, 'gander.width'] }, DataType.INT64);
  builder.before(
    sites.map((site) => site.node),
    nodes,
  );
  sites.forEach((site, j) => insertSite(builder, site, own('u'), `${i}.${j}`, group.up[j]!, n * rank));
}

function insertSite(builder: Builder, site: Site, u: string, id: string, up: Stored, width: number): void {
  const own = (what: string) => `gander.${what}.${id}`;
  const { node: base, bias, dOut } = site;
  const y = base.output[0]!;
  // A Gemm has two axes already, and its own way to them.
  const flat = base.opType === 'Gemm';
  if (!flat) base.input[0] = u;
  base.output[0] = own('y');
  builder.constant(externalFloats(own('up'), [width, dOut], up.location, up.offset));
  const between = ['y', 'unit', ...(bias ? ['product'] : []), ...(flat ? [] : ['sum'])];
  builder.declare({
    [own('base')]: [tokens, 1],
    ...Object.fromEntries(between.map((what) => [own(what), [tokens, dOut]])),
  });
  builder.after(base, [
    ...(bias ? [node('Sub', [own('y'), bias], [own('product')])] : []),
    // For its second output, which costs a quarter of what ReduceL2 takes over long rows.
    node(
      'SimplifiedLayerNormalization',
      [bias ? own('product') : own('y'), builder.ones(dOut)],
      [own('unit'), own('base')],
      { axis: -1, epsilon: { float: 1e-30 }, stash_type: 1 },
    ),
    node('Gemm', [own('weighted'), own('up'), own('y')], [flat ? y : own('sum')]),
    ...(flat ? [] : [node('Reshape', [own('sum'), builder.shape([1, -1, dOut])], [y])]),
  ]);
}

/** Collects what is to be added, and puts it where a graph's order (each input before its use) allows. */
class Builder {
  readonly #first: NodeProto[] = [];
  readonly #last: NodeProto[] = [];
  readonly #before = new Map<NodeProto, NodeProto[]>();
  readonly #after = new Map<NodeProto, NodeProto[]>();
  readonly #shared = new Set<string>();

  constructor(
    readonly graph: GraphProto,
    readonly version: number,
  ) {}

  input(name: string, type: DataType, dims: readonly (number | string)[]): void {
    this.graph.input.push(valueInfo(name, type, dims));
  }

  output(name: string, type: DataType, dims: readonly (number | string)[]): void {
    this.graph.output.push(valueInfo(name, type, dims));
  }

  constant(tensor: Parameters<GraphProto['initializer']['push']>[0]): void {
    this.graph.initializer.push(tensor);
  }

  /** A shared constant of integers; its name. */
  shape(values: readonly number[]): string {
    const name = `gander.ints.${values.join('_')}`;
    if (!this.#shared.has(name)) this.constant(int64s(name, values));
    this.#shared.add(name);
    return name;
  }

  ones(count: number): string {
    const name = `gander.ones.${count}`;
    if (!this.#shared.has(name)) this.constant(floats(name, [count], new Float32Array(count).fill(1)));
    this.#shared.add(name);
    return name;
  }

  /** A reduction over the last axis, which goes; axes became an input with operator set 18. */
  reduce(opType: string, input: string, output: string): NodeProto {
    return this.version >= 18
      ? node(opType, [input, this.shape([-1])], [output], { keepdims: 0 })
      : node(opType, [input], [output], { axes: [-1], keepdims: 0 });
  }

  /** data with updates added at indices, over the last axis; no such operator before operator set 16. */
  scatterAdd(data: string, indices: string, updates: string, output: string): NodeProto[] {
    if (this.version >= 16)
      return [node('ScatterElements', [data, indices, updates], [output], { axis: -1, reduction: 'add' })];
    return [
      node('GatherElements', [data, indices], [`${output}.there`], { axis: -1 }),
      node('Add', [`${output}.there`, updates], [`${output}.sum`]),
      node('ScatterElements', [data, indices, `${output}.sum`], [output], { axis: -1 }),
    ];
  }

  /**
   * Shapes of what lies between. Without names for them onnxruntime's planner sees no two alike: it reuses no memory, and
   * searches the growing list of what it could not reuse for every node (5 s for a graph that loads in 1).
   */
  declare(shapes: Readonly<Record<string, readonly (number | string)[]>>, type = DataType.FLOAT): void {
    for (const [name, dims] of Object.entries(shapes)) this.graph.valueInfo.push(valueInfo(name, type, dims));
  }

  first(n: NodeProto): void {
    this.#first.push(n);
  }

  last(n: NodeProto): void {
    this.#last.push(n);
  }

  /** Before whichever of `targets` comes first. */
  before(targets: readonly NodeProto[], nodes: readonly NodeProto[]): void {
    const among = new Set(targets);
    const target = this.graph.node.find((candidate) => among.has(candidate))!;
    this.#before.set(target, [...(this.#before.get(target) ?? []), ...nodes]);
  }

  after(target: NodeProto, nodes: readonly NodeProto[]): void {
    this.#after.set(target, [...nodes]);
  }

  finish(): void {
    this.graph.node = [
      ...this.#first,
      ...this.graph.node.flatMap((n) => [...(this.#before.get(n) ?? []), n, ...(this.#after.get(n) ?? [])]),
      ...this.#last,
    ];
  }
}
