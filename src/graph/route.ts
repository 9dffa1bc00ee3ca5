import { Builder, tokens, width } from './builder.js';
import type { FoundModule } from './find.js';
import { seamsOf } from './seams.js';
import { DataType, type GraphProto, type ModelProto, type NodeProto, floats, int64s, node, opset } from './model.js';

/** A tensor in a file beside the composed model. */
export interface Stored {
  readonly location: string;
  /** Bytes. */
  readonly offset: number;
}

/** Modules with the same input, whose affinities are computed by one product. */
export interface Group {
  readonly modules: readonly FoundModule[];
  readonly dIn: number;
  /** The largest rank of any expert here; smaller ones are padded with zeros. */
  readonly rank: number;
  /** A' (algebra.ts): in the dense form one [dIn, g·N·rank], in the gathered form for each module [N, dIn, rank]. */
  readonly down: readonly Stored[];
  /** For each module [N·rank, dOut] B'. */
  readonly up: readonly Stored[];
}

/** Names of the inputs and outputs that the routed graph has in addition to the base's. M modules in group order. */
export const names = {
  /** [1] int64, 1 ≤ k ≤ N. */
  k: 'gander.k',
  /** [1 or T, M, N] added to affinities before the choice; −1e30 or less for "never" (with infinity, all experts out would give NaN). */
  bias: 'gander.bias',
  /** [T, M, N] weights that are added to the router's; dense form only (the gathered form has `given`). */
  fixed: 'gander.fixed',
  /** [1 or T, M, 1] factor on the router's weights: 1, or 0 for fixed weights alone. */
  share: 'gander.share',
  /** [1]: 1, or 0 for no normalisation of u (arrow). */
  normalise: 'gander.normalise',
  /** [1]: 1, or −1 for the absolute value (arrow). */
  slope: 'gander.slope',
  /** [1, T, 1] int64: the token that follows each one. */
  targets: 'gander.targets',
  /** [T, M, N] raw affinities. */
  affinity: 'gander.affinity',
  /** [T, M, k] int32: the experts that the weights belong to; gathered form only. */
  chosen: 'gander.chosen',
  /** [T, M, N] applied weights; in the gathered form [T, M, k]. */
  weight: 'gander.weight',
  /** [T, M, N] ‖s B A u‖ ÷ √(‖W u‖² / dOut); in the gathered form [T, M, k]. */
  moved: 'gander.moved',
  /** [1, T, 1] natural log-probability of the target. */
  logProb: 'gander.log_prob',
  /** [T, P] natural log-probabilities of the likeliest next tokens, and their ids (int64). */
  topLogProb: 'gander.top_log_prob',
  topIds: 'gander.top_ids',
  /** [T, d] what the head reads; only for X-LoRA (hidden.ts). */
  hidden: 'gander.hidden',
  /** [1, V] logits of the last position. */
  last: 'gander.last_logits',
} as const;

/**
 * [dIn, g·N] router vectors as columns, module by module. They are inputs, not initializers, so that one graph serves every
 * strategy with its own vectors (onnxruntime-node does not let a run replace initializers).
 */
export function routerInput(group: number): string {
  return `gander.router.${group}`;
}

export interface Routing {
  readonly form: Form;
  /** Added to the sum of the chosen probabilities before they are divided by it. */
  readonly weightEpsilon: number;
}

/** One of the two ways to compute what the chosen experts add: dense.ts and gathered.ts. */
export interface Form {
  /** Its own inputs [T, M, N], of which each group gets its part. */
  readonly inputs: readonly string[];
  /** Adds what all groups share. */
  once(builder: Builder, n: number): void;
  /** What uses a router's k best: the group's `gander.best`, `chosen` and `shared` (the softmax times the share), [T, g, k]. */
  group(builder: Builder, group: Group, i: number, n: number): NodeProto[];
  /** Adds the experts' output to that of module j of group i, `y` [T, dOut]; the sum is named `sum`. */
  module(builder: Builder, group: Group, i: number, j: number, n: number, y: string, sum: string): NodeProto[];
  /** Declares its outputs, except `moved`, once all groups exist. */
  outputs(builder: Builder, groups: readonly Group[], n: number): void;
  /** The last axis of `moved`. */
  slots(n: number): number | string;
  /** The norms ‖s B A u‖ of a group, side by side [T, its modules × slots], and nodes that compute them if the group's own do not. */
  norms(builder: Builder, group: Group, i: number, n: number): Norms;
}

export interface Norms {
  readonly names: readonly string[];
  readonly nodes: readonly NodeProto[];
}

/**
 * Inserts the routing into the base graph, in place. The base's own nodes stay as they are, except that a module's output is
 * renamed and its sum with the experts' output takes the old name.
 *
 * For a group of g modules with input u: S = u·V̂ · InvStd(u) + bias → top-k → softmax; see algebra.ts for V̂. The form
 * computes what the chosen experts add.
 *
 * @param n number of experts
 */
export function insertRouting(
  model: ModelProto & { graph: GraphProto },
  groups: readonly Group[],
  n: number,
  how: Routing,
): void {
  const { form } = how;
  const { graph } = model;
  const builder = new Builder(graph, opset(model));
  const m = groups.reduce((sum, { modules }) => sum + modules.length, 0);
  const parted: Record<string, (number | string)[]> = {
    [names.bias]: ['gander.bias_tokens', m, n],
    ...Object.fromEntries(form.inputs.map((name) => [name, [tokens, m, n]])),
    [names.share]: ['gander.share_tokens', m, 1],
  };
  builder.input(names.k, DataType.INT64, [1]);
  for (const [name, dims] of Object.entries(parted)) builder.input(name, DataType.FLOAT, dims);
  builder.input(names.normalise, DataType.FLOAT, [1]);
  builder.input(names.slope, DataType.FLOAT, [1]);
  builder.constant(
    int64s(
      'gander.sizes',
      groups.map(({ modules }) => modules.length),
    ),
  );
  for (const name of Object.keys(parted)) {
    const parts = groups.map((_, i) => `${name}.${i}`);
    builder.first(node('Split', [name, 'gander.sizes'], parts, { axis: 1 }));
  }
  form.once(builder, n);
  const measured = groups.map((group, i) => insertGroup(builder, group, i, n, how));
  const affinities = groups.map((_, i) => `gander.affinity.${i}`);
  builder.last(node('Concat', affinities, [names.affinity], { axis: 1 }));
  builder.output(names.affinity, DataType.FLOAT, [tokens, m, n]);
  form.outputs(builder, groups, n);
  insertMoved(builder, measured, m, form.slots(n));
  builder.finish();
}

/**
 * onnxruntime computes depth first, beginning with the graph's last output and, of a node's inputs, with what the last node makes. So
 * this output comes last, with what it takes in reverse: then W u and A u are consumed module by module. In any other order they
 * are kept for all modules until the end, which takes as much memory again as the model.
 */
function insertMoved(builder: Builder, measured: readonly Measured[], m: number, slots: number | string): void {
  const own = (what: string) => `gander.moved.${what}`;
  const ints = (value: number) => builder.shape([value]);
  for (const { nodes } of [...measured].reverse()) for (const n of [...nodes].reverse()) builder.last(n);
  const all = [...measured.flatMap(({ bases }) => bases), ...measured.flatMap(({ norms }) => norms)];
  builder.declare({ [own('bases')]: [tokens, m], [own('norms3')]: [tokens, m, slots] });
  for (const n of [
    node('Concat', all, [own('all')], { axis: 1 }),
    node('Slice', [own('all'), ints(0), ints(m), ints(1)], [own('bases')]),
    node('Slice', [own('all'), ints(m), ints(Number.MAX_SAFE_INTEGER), ints(1)], [own('norms')]),
    node('Unsqueeze', [own('bases'), ints(-1)], [own('bases3')]),
    node('Reshape', [own('norms'), builder.shape([0, m, -1])], [own('norms3')]),
    node('Mul', [own('norms3'), own('bases3')], [names.moved]),
  ])
    builder.last(n);
  builder.output(names.moved, DataType.FLOAT, [tokens, m, slots]);
}

/** What `moved` takes of a group, and the nodes that compute only that. */
interface Measured {
  /** For each module [T, 1]: 1 / √(‖W u‖² / dOut). */
  readonly bases: readonly string[];
  readonly norms: readonly string[];
  readonly nodes: readonly NodeProto[];
}

function insertGroup(builder: Builder, group: Group, i: number, n: number, { form, weightEpsilon }: Routing): Measured {
  const { modules, dIn } = group;
  const g = modules.length;
  const own = (what: string) => `gander.${what}.${i}`;
  builder.input(routerInput(i), DataType.FLOAT, [dIn, g * n]);
  const nodes = [
    // The batch is always 1; without that axis a Gemm can add the experts' output to the base's, which saves a pass.
    node('Reshape', [modules[0]!.input, builder.shape([-1, dIn])], [own('u')]),
    node('MatMul', [own('u'), routerInput(i)], [own('raw')]),
    // Only InvStd is needed, but one operator costs less than the five that would compute it alone.
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
    ...(weightEpsilon === 0
      ? [node('Softmax', [own('best')], [own('among')], { axis: -1 })]
      : amongAll(builder, own, [g, n], weightEpsilon)),
    node('Mul', [own('among'), `${names.share}.${i}`], [own('shared')]),
  ];
  builder.declare({
    ...Object.fromEntries(['u', 'normal'].map((what) => [own(what), [tokens, dIn]])),
    ...Object.fromEntries(['mean', 'inv_std', 'factor'].map((what) => [own(what), [tokens, 1]])),
    ...Object.fromEntries(['raw', 'signed', 'flat'].map((what) => [own(what), [tokens, g * n]])),
    ...Object.fromEntries(['affinity', 'selection'].map((what) => [own(what), [tokens, g, n]])),
    ...Object.fromEntries(['best', 'among', 'shared'].map((what) => [own(what), [tokens, g, width]])),
  });
  builder.declare({ [own('chosen')]: [tokens, g, width] }, DataType.INT64);
  builder.before(
    modules.flatMap(({ products }) => products.map((product) => product.node)),
    [...nodes, ...form.group(builder, group, i, n)],
  );
  const norms = form.norms(builder, group, i, n);
  const measures: NodeProto[] = [];
  for (const seam of seamsOf(builder, group.modules, i)) {
    const added = seam.modules.flatMap(({ j, y, sum, bias }) => {
      measures.push(...baseNodes(builder, group, i, j, y, bias));
      return form.module(builder, group, i, j, n, y, sum);
    });
    builder.after(seam.after, [...seam.open, ...added, ...seam.close]);
  }
  return {
    bases: modules.map((_, j) => `gander.base.${i}.${j}`),
    norms: norms.names,
    nodes: [...measures, ...norms.nodes],
  };
}

/**
 * The chosen experts' probabilities among all experts, divided by their sum + ε, as in the PHATGOOSE authors' code. With
 * ε = 0 this would be the softmax over the chosen.
 */
function amongAll(builder: Builder, own: (what: string) => string, [g, n]: [number, number], epsilon: number) {
  builder.constant(floats(own('epsilon'), [1], Float32Array.of(epsilon)));
  builder.declare({
    [own('all')]: [tokens, g, n],
    [own('probability')]: [tokens, g, width],
    ...Object.fromEntries(['mass', 'divisor'].map((what) => [own(what), [tokens, g, 1]])),
  });
  return [
    node('Softmax', [own('selection')], [own('all')], { axis: -1 }),
    node('GatherElements', [own('all'), own('chosen')], [own('probability')], { axis: -1 }),
    // The axes of this reduction are an input since operator set 13, the oldest that is supported.
    node('ReduceSum', [own('probability'), builder.shape([-1])], [own('mass')], { keepdims: 1 }),
    node('Add', [own('mass'), own('epsilon')], [own('divisor')]),
    node('Div', [own('probability'), own('divisor')], [own('among')]),
  ];
}

/** The norm of W u, where `y` [T, dOut] is that plus any bias. */
function baseNodes(
  builder: Builder,
  group: Group,
  i: number,
  j: number,
  y: string,
  bias: string | undefined,
): NodeProto[] {
  const own = (what: string) => `gander.${what}.${i}.${j}`;
  const { dOut } = group.modules[j]!;
  builder.declare({
    [own('base')]: [tokens, 1],
    ...Object.fromEntries([y, own('unit'), ...(bias ? [own('product')] : [])].map((name) => [name, [tokens, dOut]])),
  });
  return [
    ...(bias ? [node('Sub', [y, bias], [own('product')])] : []),
    // For its second output, 1 / RMS, which takes a quarter of the time of ReduceL2 over long rows.
    node('SimplifiedLayerNormalization', [bias ? own('product') : y, builder.ones(dOut)], [own('unit'), own('base')], {
      axis: -1,
      epsilon: { float: 1e-30 },
      stash_type: 1,
    }),
  ];
}
