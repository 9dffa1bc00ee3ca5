/**
 * Computes all experts at once, with weight 0 for those not chosen: for few experts, two products are faster than sorting.
 *
 * W [T, g, N] are the weights, scattered; Z = u·A'; y += (Z ∘ W)·B'. See algebra.ts for A' and B'.
 */
import { DataType, externalFloats, node } from './model.js';
import { tokens } from './builder.js';
import { type Form, names } from './route.js';

export const dense: Form = {
  inputs: [names.fixed],

  once() {},

  group(builder, { modules, dIn, rank, down }, i, n) {
    const g = modules.length;
    const own = (what: string) => `gander.${what}.${i}`;
    builder.constant(externalFloats(own('down'), [dIn, g * n * rank], down[0]!.location, down[0]!.offset));
    builder.declare({
      [own('weight')]: [tokens, g, n],
      [own('norm')]: [tokens, g * n],
      ...Object.fromEntries(['z3', 'weighted3'].map((what) => [own(what), [tokens, g * n, rank]])),
      [own('weight3')]: [tokens, g * n, 1],
      [own('z')]: [tokens, g * n * rank],
      ...(g > 1 && { [own('weighted')]: [tokens, g * n * rank] }),
      ...Object.fromEntries(modules.map((_, j) => [`${own('weighted')}.${j}`, [tokens, n * rank]])),
    });
    const nodes = [
      ...builder.scatterAdd(`${names.fixed}.${i}`, own('chosen'), own('shared'), own('weight')),
      node('Reshape', [own('weight'), builder.shape([-1, g * n, 1])], [own('weight3')]),
      node('MatMul', [own('u'), own('down')], [own('z')]),
      node('Reshape', [own('z'), builder.shape([-1, g * n, rank])], [own('z3')]),
      node('Mul', [own('z3'), own('weight3')], [own('weighted3')]),
      node(
        'Reshape',
        [own('weighted3'), builder.shape([-1, g * n * rank])],
        [g === 1 ? `${own('weighted')}.0` : own('weighted')],
      ),
    ];
    if (g > 1) {
      nodes.push(
        node(
          'Split',
          [own('weighted'), builder.shape(modules.map(() => n * rank))],
          modules.map((_, j) => `${own('weighted')}.${j}`),
          { axis: -1 },
        ),
      );
    }
    return nodes;
  },

  module(builder, { modules, rank, up }, i, j, n, y, sum) {
    const own = (what: string) => `gander.${what}.${i}.${j}`;
    builder.constant(externalFloats(own('up'), [n * rank, modules[j]!.dOut], up[j]!.location, up[j]!.offset));
    return [node('Gemm', [own('weighted'), own('up'), y], [sum])];
  },

  outputs(builder, groups, n) {
    const m = groups.reduce((sum, { modules }) => sum + modules.length, 0);
    const weights = groups.map((_, i) => `gander.weight.${i}`);
    builder.last(node('Concat', weights, [names.weight], { axis: 1 }));
    builder.output(names.weight, DataType.FLOAT, [tokens, m, n]);
  },

  slots: (n) => n,

  norms: (builder, _, i) => ({
    names: [`gander.norm.${i}`],
    nodes: [builder.reduce('ReduceL2', `gander.z3.${i}`, `gander.norm.${i}`)],
  }),
};
