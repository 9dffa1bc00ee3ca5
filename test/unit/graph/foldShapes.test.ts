import { describe, expect, it } from 'vitest';
import { foldShapes } from '../../../src/graph/foldShapes.js';
import { DataType, type NodeProto, graphAttribute, int64s, node, valueInfo } from '../../../src/graph/model.js';
import { integersIn } from '../../../src/graph/walk.js';
import { graphOf } from './moe/graphs.js';

const batch = 'batch_size';
const [tokens, past] = ['sequence_length', 'past_sequence_length'];

/** A layer's keys, which are appended to those before, and what follows them. */
const keys = (layer: number): NodeProto[] => [
  node('Reshape', ['x', 'split'], [`k.${layer}`]),
  node('Transpose', [`k.${layer}`], [`turned.${layer}`], { perm: [0, 2, 1, 3] }),
  node('Concat', [`past_key_values.${layer}.key`, `turned.${layer}`], [`present.${layer}.key`], { axis: 2 }),
];
/** The number of keys, as [1]. */
const length = (layer: number): NodeProto[] => [
  node('Shape', [`present.${layer}.key`], [`shape.${layer}`]),
  node('Gather', [`shape.${layer}`, 'two'], [`length.${layer}`], { axis: 0 }),
  node('Unsqueeze', [`length.${layer}`, 'axis'], [`list.${layer}`]),
];

function folded(nodes: readonly NodeProto[], outputs: readonly string[], mask = `${past} + ${tokens}`) {
  const keysOf = (layer: number) => valueInfo(`past_key_values.${layer}.key`, DataType.FLOAT, [batch, 3, past, 64]);
  const graph = graphOf(nodes, {
    inputs: [
      valueInfo('input_ids', DataType.INT64, [batch, tokens]),
      valueInfo('attention_mask', DataType.INT64, [batch, mask]),
      valueInfo('x', DataType.FLOAT, [batch, tokens, 192]),
      keysOf(0),
      keysOf(1),
    ],
    outputs: outputs.map((name) => valueInfo(name, DataType.FLOAT, [])),
    constants: [
      int64s('two', [2], true),
      int64s('axis', [0]),
      int64s('split', [0, 0, -1, 64]),
      int64s('end', [2 ** 62]),
    ],
  });
  foldShapes(graph);
  const constant = (name: string) => {
    const tensor = graph.initializer.find((one) => one.name === name);
    return tensor && integersIn(tensor)?.values;
  };
  return { graph, constant, kinds: graph.node.map(({ opType }) => opType) };
}

const presents = ['present.0.key', 'present.1.key'];

describe('shapes that are folded', () => {
  it('take their place as constants, with one size left to the run', () => {
    const { graph, constant, kinds } = folded(
      [
        ...keys(0),
        ...keys(1),
        ...length(0),
        node('Concat', ['batch', 'list.0', 'wide'], ['shape'], { axis: 0 }),
        node('Reshape', ['present.0.key', 'shape'], ['y']),
      ].flatMap((n) =>
        n.output[0] === 'shape'
          ? [
              node('Constant', [], ['batch'], { value_ints: [1] }),
              node('Constant', [], ['wide'], { value_ints: [192] }),
              n,
            ]
          : [n],
      ),
      [...presents, 'y'],
    );
    expect(kinds).not.toContain('Shape');
    const reshape = graph.node.find(({ output }) => output[0] === 'y')!;
    expect(constant(reshape.input[1]!)).toEqual([1, -1, 192]);
  });

  it('are computed once for all layers, if every layer keeps all of its keys', () => {
    const slices = [0, 1].map((layer) => node('Slice', ['mask', 'axis', `list.${layer}`], [`y.${layer}`]));
    const { graph, kinds } = folded(
      [...keys(0), ...keys(1), ...length(0), ...length(1), node('Cast', ['x'], ['mask'], { to: 1 }), ...slices],
      [...presents, 'y.0', 'y.1'],
    );
    expect(kinds.filter((kind) => kind === 'Shape')).toHaveLength(1);
    expect(graph.node.filter(({ opType }) => opType === 'Slice').map(({ input }) => input[2])).toEqual([
      'list.0',
      'list.0',
    ]);
  });

  it('stay apart if one layer keeps only a window', () => {
    const window = [
      ...keys(1).slice(0, 2),
      node('Concat', ['past_key_values.1.key', 'turned.1'], ['all.1'], { axis: 2 }),
      node('Slice', ['all.1', 'from', 'end', 'two.axis'], ['present.1.key']),
    ];
    const { kinds } = folded(
      [
        node('Constant', [], ['from'], { value_ints: [-8] }),
        node('Constant', [], ['two.axis'], { value_ints: [2] }),
        ...keys(0),
        ...window,
        ...length(0),
        ...length(1),
      ],
      [...presents, 'list.0', 'list.1'],
    );
    expect(kinds.filter((kind) => kind === 'Shape')).toHaveLength(2);
  });

  it('do not believe a mask that declares another length than it can have', () => {
    const shapes = (mask?: string) => {
      const nodes = [
        ...keys(0),
        ...keys(1),
        ...length(0),
        node('Shape', ['attention_mask'], ['mask.shape']),
        node('Constant', [], ['one'], { value_ints: [1] }),
        node('Gather', ['mask.shape', 'one'], ['mask.list'], { axis: 0 }),
        node('Slice', ['x', 'axis', 'mask.list'], ['y']),
        node('Slice', ['x', 'axis', 'list.0'], ['z']),
      ];
      return folded(nodes, [...presents, 'y', 'z'], mask).kinds.filter((kind) => kind === 'Shape').length;
    };
    expect(shapes()).toBe(1);
    expect(shapes(tokens)).toBe(2);
  });

  it('leave alone what a nested graph reads, and numbers that no size has', () => {
    const nested = node('If', ['condition'], ['y']);
    nested.attribute = [graphAttribute('then_branch', { node: [node('Identity', ['list.0'], ['inner'])] })];
    const { kinds } = folded(
      [
        ...keys(0),
        ...keys(1),
        ...length(0),
        nested,
        node('Identity', ['end'], ['far']),
        node('Slice', ['x', 'axis', 'far'], ['z']),
      ],
      [...presents, 'y', 'z'],
    );
    expect(kinds).toContain('Shape');
    expect(kinds).toContain('Identity');
  });

  it('leave alone a shape with two sizes that only a run knows', () => {
    const { graph } = folded(
      [
        ...keys(0),
        ...keys(1),
        ...length(0),
        node('Shape', ['x'], ['x.shape']),
        node('Concat', ['x.shape', 'list.0'], ['odd'], { axis: 0 }),
        node('Reshape', ['x', 'odd'], ['y']),
      ],
      [...presents, 'y'],
    );
    expect(graph.node.find(({ output }) => output[0] === 'y')!.input[1]).toBe('odd');
  });

  it('end with a graph that goes in circles, and with operators of strange names', () => {
    const { kinds } = folded([node('Add', ['a', 'b'], ['b']), node('constructor', ['b', 'a'], ['a'])], ['a']);
    expect(kinds).toEqual(['Add', 'constructor']);
  });
});
