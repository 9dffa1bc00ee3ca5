import { Builder, tokens, width } from './builder.js';
import type { Site } from './find.js';
import { seamsOf } from './seams.js';
import { DataType, type GraphProto, type ModelProto, type NodeProto, floats, int64s, node, opset } from './model.js';

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
  /** A' (algebra.ts): in the dense form one [dIn, g·N·rank], in the gathered form for each module [N, dIn, rank]. */
  readonly down: readonly Stored[];
  /** For each module [N·rank, dOut] B'. */
  readonly up: readonly Stored[];
}

/** Names of what the routed graph takes and gives beyond the base's own inputs and outputs. M modules in group order. */
export const names = {
  /** [1] int64, 1 ≤ k ≤ N. */
  k: 'gander.k',
  /** [1 or T, M, N] added to affinities before the choice; at most −1e30 for "never". Infinity is no good: all out would make NaN. */
  bias: 'gander.bias',
  /** [T, M, N] weights that are added to the router's; dense form only (`given` in gathered.ts). */
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
  /** [T, M, k] int32: whose the weights are; gathered form only. */
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

export interface Routing {
  readonly form: Form;
  /** What is added to the sum of the chosen probabilities before they are divided by it. */
  readonly weightEpsilon: number;
}

/** One of the two ways to compute what the chosen experts add: dense.ts and gathered.ts. */
export interface Form {
  /** Inputs [T, M, N] of its own, of which each group gets its part. */
  readonly inputs: readonly string[];
  /** What all groups need alike. */
  once(builder: Builder, n: number): void;
  /** Where a router's k best go: `gander.best`, `chosen` and `shared` (the softmax, times the share) of the group, [T, g, k]. */
  group(builder: Builder, group: Group, i: number, n: number): NodeProto[];
  /** Adds the experts' part to what module j of group i gives, `y` [T, dOut]; the sum is named `sum`. */
  site(builder: Builder, group: Group, i: number, j: number, n: number, y: string, sum: string): NodeProto[];
  /** Gives its outputs but `moved`, once all groups are there. */
  outputs(builder: Builder, groups: readonly Group[], n: number): void;
  /** The last axis of `moved`. */
  slots(n: number): number | string;
  /** The norms ‖s B A u‖ of a group, [T, its modules, slots], in one piece or more. */
  norms(group: Group, i: number): Norms[];
}

export interface Norms {
  readonly name: string;
  /** Of the modules in the piece, [T, 1] each: 1 / √(‖W u‖² / dOut). */
  readonly bases: readonly string[];
}

/**
 * Puts the routing into the base graph, in place. The base's own nodes stay as they are, except that what a module gives
 * is renamed and the sum with the experts' part takes its name.
 *
 * For a group of g modules with input u: S = u·V̂ · InvStd(u) + bias → top-k → softmax; see algebra.ts for V̂. What the
 * chosen then add is the form's business.
 *
 * @param n experts
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
  const m = groups.reduce((sum, { sites }) => sum + sites.length, 0);
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
      groups.map(({ sites }) => sites.length),
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
 * Of all outputs onnxruntime makes the one that stands last in the graph first, and of its inputs, too, the last first:
 * depth first. So this output stands last, and its pieces the other way round: then W u and A u are used up module by
 * module. In any other order they are kept for all modules till the end, which takes as much memory again as the model.
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
  const { sites, dIn } = group;
  const g = sites.length;
  const own = (what: string) => `gander.${what}.${i}`;
  builder.input(routerInput(i), DataType.FLOAT, [dIn, g * n]);
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
    sites.flatMap(({ products }) => products.map((product) => product.node)),
    [...nodes, ...form.group(builder, group, i, n)],
  );
  for (const seam of seamsOf(builder, group.sites, i)) {
    const added = seam.sites.flatMap(({ j, y, sum, bias }) => siteNodes(builder, group, i, j, n, form, y, sum, bias));
    builder.after(seam.after, [...seam.open, ...added, ...seam.close]);
  }
}

/**
 * The chosen experts' probabilities among all, divided by their sum + ε: what the authors' code of PHATGOOSE computes. With
 * ε = 0 it would be the softmax over the chosen.
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
    // The axes of this reduction are an input since operator set 13, which is the oldest.
    node('ReduceSum', [own('probability'), builder.shape([-1])], [own('mass')], { keepdims: 1 }),
    node('Add', [own('mass'), own('epsilon')], [own('divisor')]),
    node('Div', [own('probability'), own('divisor')], [own('among')]),
  ];
}

/** What the experts add to `y` [T, dOut], which is W u and a bias, and the sum of it. */
function siteNodes(
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
  const { dOut } = group.sites[j]!;
  builder.declare({
    [own('base')]: [tokens, 1],
    ...Object.fromEntries([y, own('unit'), ...(bias ? [own('product')] : [])].map((name) => [name, [tokens, dOut]])),
  });
  return [
    ...(bias ? [node('Sub', [y, bias], [own('product')])] : []),
    // For its second output, which costs a quarter of what ReduceL2 takes over long rows.
    node('SimplifiedLayerNormalization', [bias ? own('product') : y, builder.ones(dOut)], [own('unit'), own('base')], {
      axis: -1,
      epsilon: { float: 1e-30 },
      stash_type: 1,
    }),
    ...form.site(builder, group, i, j, n, y, sum),
  ];
}
