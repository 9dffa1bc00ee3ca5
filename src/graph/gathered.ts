/**
 * Computes only the chosen experts: for many experts, of which each token needs few.
 *
 * At one module there are R = T·k pairs of a token and one of its chosen experts. They are sorted by expert and laid out in
 * blocks of b rows, one expert per block (an expert's last block is padded with arbitrary rows): X [blocks, b, dIn]. One A'
 * and one B' are gathered for each block: Z = X·A', Y = Z·B'. Each pair reads its row of Z for ‖s B A u‖, and of Y for
 * y += Σ w Y.
 *
 * (The operator com.microsoft.MoE does something similar, but only for square modules, to which others would have to be
 * padded; it makes more copies of each row and returns no norms. It took about twice as long.)
 *
 * If k is large (merged experts have weights for all), every token needs nearly all experts, and A' and B' are multiplied by
 * all tokens instead, as in dense.ts.
 */
import { type Builder, tokens, width } from './builder.js';
import { DataType, type NodeProto, externalFloats, floats, graphAttribute, int64s, node, valueInfo } from './model.js';
import { type Form, type Group, names } from './route.js';

/** Fixed weights are put into `bias` times this power of two: such an expert ranks first, and its weight is read back from there. */
export const given = 2 ** 100;

/** Rows per block. More would waste rows on experts that few tokens chose; fewer would gather the same matrices more often. */
const rows = 8;

/** The largest k for which experts are gathered: beyond it, computing all at once is faster (measured with 166 experts). */
const narrow = (n: number) => Math.max(2, Math.floor(n / 12));

/** Values that every module needs, computed once per run; int64 unless stated otherwise. R = T·k. */
const common = {
  /** bool: k is too large for gathering. */
  wide: 'gander.wide',
  /** [1] R */
  count: 'gander.pairs',
  /** [R] 0, 1, 2, … */
  positions: 'gander.positions',
  /** [R] each */
  zeros: 'gander.pairs.zeros',
  ones: 'gander.pairs.ones',
  /** [2] (−1, k) */
  flat: 'gander.pairs.flat',
} as const;

export const gathered: Form = {
  inputs: [],

  once,

  group(builder, { modules }, i) {
    const g = modules.length;
    const own = (what: string) => `gander.${what}.${i}`;
    const nodes = [
      // Affinities are far below this threshold, so nothing is added where the router decides.
      node('ThresholdedRelu', [own('best')], [own('first')], { alpha: { float: 2 ** 80 } }),
      node('Mul', [own('first'), 'gander.given'], [own('given')]),
      node('Add', [own('shared'), own('given')], [own('weight')]),
    ];
    builder.declare(Object.fromEntries(['first', 'given', 'weight'].map((what) => [own(what), [tokens, g, width]])));
    for (const [what, type] of [
      ['chosen', DataType.INT64],
      ['weight', DataType.FLOAT],
    ] as const) {
      const parts = modules.map((_, j) => `${own(what)}.${j}`);
      nodes.push(node('Split', [own(what), builder.shape(modules.map(() => 1))], parts, { axis: 1 }));
      builder.declare(Object.fromEntries(parts.map((part) => [part, [tokens, 1, width]])), type);
    }
    return nodes;
  },

  module(builder, group, i, j, n, y, sum) {
    const own = (what: string) => `gander.${what}.${i}.${j}`;
    const { dIn, rank } = group;
    const { dOut } = group.modules[j]!;
    const [down, up] = [group.down[j]!, group.up[j]!];
    builder.constant(externalFloats(own('down'), [n, dIn, rank], down.location, down.offset));
    builder.constant(externalFloats(own('up'), [n, rank, dOut], up.location, up.offset));
    builder.declare({ [own('norm')]: [tokens, width] });
    const choice = node('If', [common.wide], [sum, own('norm')]);
    const branch = (name: string, nodes: NodeProto[]) => {
      const output = [
        valueInfo(own(`${name}.sum`), DataType.FLOAT, [tokens, dOut]),
        valueInfo(own(`${name}.norm`), DataType.FLOAT, [tokens, width]),
      ];
      choice.attribute.push(graphAttribute(`${name}_branch`, { name: own(name), node: nodes, output }));
    };
    branch('then', everyExpert(builder, group, i, j, n, y));
    branch('else', chosenExperts(builder, group, i, j, n, y));
    return [choice];
  },

  outputs(builder, groups) {
    const m = groups.reduce((sum, { modules }) => sum + modules.length, 0);
    const chosen = groups.map((_, i) => `gander.chosen.${i}`);
    builder.last(node('Concat', chosen, ['gander.chosen.all'], { axis: 1 }));
    builder.last(node('Cast', ['gander.chosen.all'], [names.chosen], { to: DataType.INT32 }));
    const weights = groups.map((_, i) => `gander.weight.${i}`);
    builder.last(node('Concat', weights, [names.weight], { axis: 1 }));
    builder.output(names.chosen, DataType.INT32, [tokens, m, width]);
    builder.output(names.weight, DataType.FLOAT, [tokens, m, width]);
  },

  slots: () => width,

  norms: (_, { modules }, i) => ({ names: modules.map((_, j) => `gander.norm.${i}.${j}`), nodes: [] }),
};

/** Computes the values of `common`. */
function once(builder: Builder, experts: number): void {
  const own = (what: string) => `gander.pairs.${what}`;
  builder.constant(floats('gander.given', [1], Float32Array.of(1 / given)));
  for (const i of [0, 1]) builder.constant(int64s(own(`scalar.${i}`), [i], true));
  for (const n of [
    node('Greater', [names.k, builder.shape([narrow(experts)])], [common.wide]),
    node('Size', [names.targets], [own('tokens')]),
    node('Mul', [own('tokens'), names.k], [common.count]),
    node('Squeeze', [common.count], [own('count')]),
    node('Range', [own('scalar.0'), own('count'), own('scalar.1')], [common.positions]),
    node('Expand', [builder.shape([0]), common.count], [common.zeros]),
    node('Expand', [builder.shape([1]), common.count], [common.ones]),
    node('Concat', [builder.shape([-1]), names.k], [common.flat], { axis: 0 }),
  ]) {
    builder.first(n);
  }
}

/** The branch with blocks of chosen experts; its sum and norms are named `else.sum` and `else.norm`. */
function chosenExperts(builder: Builder, group: Group, i: number, j: number, n: number, y: string): NodeProto[] {
  const own = (what: string) => `gander.${what}.${i}.${j}`;
  const { dIn, rank } = group;
  const { dOut } = group.modules[j]!;
  const b = builder.shape([rows]);
  const axis = builder.shape([0]);
  const flat = builder.shape([-1]);
  const last = builder.shape([n - 1]);
  return [
    // Pairs in the order of their experts.
    node('Reshape', [own('chosen'), flat], [own('expert')]),
    node('TopK', [own('expert'), common.count], [own('sorted'), own('pair')], { axis: 0, largest: 0 }),
    // For each expert: how many pairs and blocks it has, and how far padding in earlier blocks shifts its rows.
    node('ScatterElements', [builder.zeros(n), own('expert'), common.ones], [own('pairs')], { reduction: 'add' }),
    node('Add', [own('pairs'), builder.shape([rows - 1])], [own('rounded')]),
    node('Div', [own('rounded'), b], [own('blocks')]),
    node('CumSum', [own('blocks'), axis], [own('blocks.before')], { exclusive: 1 }),
    node('CumSum', [own('pairs'), axis], [own('pairs.before')], { exclusive: 1 }),
    node('Mul', [own('blocks.before'), b], [own('rows.before')]),
    node('Sub', [own('rows.before'), own('pairs.before')], [own('shift')]),
    // Each pair's row, conversely each row's token, and each block's expert.
    node('Gather', [own('shift'), own('sorted')], [own('shifted')]),
    node('Add', [common.positions, own('shifted')], [own('row.sorted')]),
    node('ScatterElements', [common.zeros, own('pair'), own('row.sorted')], [own('row')]),
    node('Gather', [own('blocks.before'), last], [own('blocks.but')]),
    node('Gather', [own('blocks'), last], [own('blocks.last')]),
    node('Add', [own('blocks.but'), own('blocks.last')], [own('total')]),
    node('Mul', [own('total'), b], [own('total.rows')]),
    node('Expand', [axis, own('total.rows')], [own('empty.rows')]),
    node('Div', [own('pair'), names.k], [own('token.sorted')]),
    node('ScatterElements', [own('empty.rows'), own('row.sorted'), own('token.sorted')], [own('token')]),
    node('Expand', [axis, own('total')], [own('empty.blocks')]),
    node('Div', [own('row.sorted'), b], [own('block.sorted')]),
    node('ScatterElements', [own('empty.blocks'), own('block.sorted'), own('sorted')], [own('owner')]),
    // The products.
    node('Gather', [`gander.u.${i}`, own('token')], [own('x.rows')]),
    node('Reshape', [own('x.rows'), builder.shape([-1, rows, dIn])], [own('x')]),
    node('Gather', [own('down'), own('owner')], [own('a')]),
    node('MatMul', [own('x'), own('a')], [own('z')]),
    node('Gather', [own('up'), own('owner')], [own('b')]),
    node('MatMul', [own('z'), own('b')], [own('change')]),
    // Back to the pairs.
    node('Reshape', [own('z'), builder.shape([-1, rank])], [own('z.rows')]),
    node('Gather', [own('z.rows'), own('row')], [own('z.pairs')]),
    builder.reduce('ReduceL2', own('z.pairs'), own('norm.pairs')),
    node('Reshape', [own('norm.pairs'), common.flat], [own('else.norm')]),
    node('Reshape', [own('change'), builder.shape([-1, dOut])], [own('change.rows')]),
    node('Reshape', [own('row'), common.flat], [own('row.of')]),
    node('Gather', [own('change.rows'), own('row.of')], [own('change.of')]),
    node('MatMul', [own('weight'), own('change.of')], [own('mixed.of')]),
    node('Reshape', [own('mixed.of'), builder.shape([-1, dOut])], [own('mixed')]),
    node('Add', [y, own('mixed')], [own('else.sum')]),
  ];
}

/** The branch with all experts, as in dense.ts; its sum and norms are named `then.sum` and `then.norm`. */
function everyExpert(builder: Builder, group: Group, i: number, j: number, n: number, y: string): NodeProto[] {
  const own = (what: string) => `gander.${what}.${i}.${j}`;
  const all = (what: string) => own(`all.${what}`);
  const { rank } = group;
  const { dOut } = group.modules[j]!;
  return [
    node('MatMul', [`gander.u.${i}`, own('down')], [all('z.by_expert')]),
    node('Transpose', [all('z.by_expert')], [all('z')], { perm: [1, 0, 2] }),
    builder.reduce('ReduceL2', all('z'), all('norm')),
    node('Reshape', [own('chosen'), common.flat], [all('chosen')]),
    node('GatherElements', [all('norm'), all('chosen')], [own('then.norm')], { axis: -1 }),
    node('Shape', [all('norm')], [all('shape')]),
    node('ConstantOfShape', [all('shape')], [all('zeros')]),
    node('Reshape', [own('weight'), common.flat], [all('weight.chosen')]),
    node('ScatterElements', [all('zeros'), all('chosen'), all('weight.chosen')], [all('weight')], { axis: -1 }),
    node('Unsqueeze', [all('weight'), builder.shape([-1])], [all('weight.3')]),
    node('Mul', [all('z'), all('weight.3')], [all('weighted.3')]),
    node('Reshape', [all('weighted.3'), builder.shape([-1, n * rank])], [all('weighted')]),
    // A shape that is known only at run time: of a constant matrix onnxruntime would keep a second, packed copy.
    node('Sub', [names.k, names.k], [all('0')]),
    node('Add', [builder.shape([-1, dOut]), all('0')], [all('up.shape')]),
    node('Reshape', [own('up'), all('up.shape')], [all('up')]),
    node('Gemm', [all('weighted'), all('up'), y], [own('then.sum')]),
  ];
}
