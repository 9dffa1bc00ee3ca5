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
  /** The norms ‖s B A u‖ of a group, [T, its modules, slots], in one or more pieces. */
  norms(group: Group, i: number): Norms[];
}

export interface Norms {
  readonly name: string;
  /** For each module in the piece, [T, 1]: 1 / √(‖W u‖² / dOut). */
  readonly bases: readonly string[];
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
  groups.forEach((group, i) => insertGroup(builder, group, i, n, how));
  const affinities = groups.map((_, i) => `gander.affinity.${i}`);
  builder.last(node('Concat', affinities, [names.affinity], { axis: 1 }));
  builder.output(names.affinity, DataType.FLOAT, [tokens, m, n]);
  form.outputs(builder, groups, n);
  insertMoved(
    builder,
    groups.flatMap((group, i) => form.norms(group, i)),
    m,
    form.slots(n),
  );
  builder.finish();
}

/**
 * onnxruntime computes depth first, beginning with the graph's last output and with the last input of each node. So this
 * output comes last, with its pieces in reverse: then W u and A u are consumed module by module. In any other order they are
 * kept for all modules until the end, which takes as much memory again as the model.
 */
function insertMoved(builder: Builder, norms: readonly Norms[], m: number, slots: number | string): void {
  const own = (what: string, i: number) => `gander.moved.${what}.${i}`;
  for (const [i, { name, bases }] of [...norms.entries()].reverse()) {
    const together = bases.length > 1 ? own('bases', i) : bases[0]!;
    builder.declare({
      ...(bases.length > 1 && { [together]: [tokens, bases.length] }),
      [own('bases3', i)]: [tokens, bases.length, 1],
      [own('part', i)]: [tokens, bases.length, slots],
    });
    if (bases.length > 1) builder.last(node('Concat', [...bases], [together], { axis: -1 }));
    builder.last(node('Unsqueeze', [together, builder.shape([-1])], [own('bases3', i)]));
    builder.last(node('Mul', [name, own('bases3', i)], [own('part', i)]));
  }
  const parts = norms.map((_, i) => own('part', i));
  builder.last(node('Concat', parts, [names.moved], { axis: 1 }));
  builder.output(names.moved, DataType.FLOAT, [tokens, m, slots]);
}

function insertGroup(builder: Builder, group: Group, i: number, n: number, { form, weightEpsilon }: Routing): void {
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
  for (const seam of seamsOf(builder, group.modules, i)) {
    const added = seam.modules.flatMap(({ j, y, sum, bias }) =>
      moduleNodes(builder, group, i, j, n, form, y, sum, bias),
    );
    builder.after(seam.after, [...seam.open, ...added, ...seam.close]);
  }
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

/** Adds the experts' output to `y` [T, dOut], which is W u plus any bias. */
function moduleNodes(
  builder: Builder,
  group: Group,
  i: number,
  j: number,
  n: number,
  form: Form,
  y: string,
  sum: string,
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
    ...form.module(builder, group, i, j, n, y, sum),
  ];
}
