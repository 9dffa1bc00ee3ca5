import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { insertLens, lensNames } from '../../../src/graph/lens.js';
import { DataType, type NodeProto, floats, node, valueInfo } from '../../../src/graph/model.js';
import { GraphProtoSchema, ModelProtoSchema } from '../../../src/graph/onnx_pb.js';
import { names } from '../../../src/graph/route.js';
import { layersOf, partSums, streamOf } from '../../../src/graph/stream.js';

/** Two layers of attention and MLP in few operators, numbered from 3, followed by the predictions. */
function model(more: readonly NodeProto[] = []) {
  const layer = (i: number, x: string, to: string) => [
    node('Norm', [x], [`${i}.norm`]),
    node('Attention', [`${i}.norm`, 'mask'], [`${i}.mixed`, `present.${i}.key`]),
    node('Add', [x, `${i}.mixed`], [`${i}.middle`]),
    node('Norm', [`${i}.middle`], [`${i}.second`]),
    node('MatMul', [`${i}.second`, 'w'], [`${i}.mlp`]),
    node('Add', [`${i}.middle`, `${i}.mlp`], [to]),
  ];
  const said = [names.logProb, names.topLogProb, names.topIds, names.last];
  const graph = create(GraphProtoSchema, {
    node: [
      node('Gather', ['w', 'input_ids'], ['x']),
      // The number of tokens is computed from all of them, but contains nothing about any.
      node('Shape', ['input_ids'], ['shape']),
      node('Range', ['shape'], ['mask']),
      ...layer(3, 'x', 'a'),
      ...layer(4, 'a', 'b'),
      ...(more.length > 0 ? more : [node('Norm', ['b'], ['normal'])]),
      node('Head', ['normal', names.targets], said),
      node('Tell', ['b'], ['gander.affinity']),
    ],
    input: ['input_ids', names.targets, 'past_key_values.3.key', 'past_key_values.4.key'].map((name) =>
      valueInfo(name, DataType.INT64, ['t']),
    ),
    output: ['present.3.key', 'present.4.key', ...said, 'gander.affinity'].map((name) =>
      valueInfo(name, DataType.FLOAT, ['t']),
    ),
    initializer: [floats('w', [1], new Float32Array(1))],
  });
  return create(ModelProtoSchema, { graph }) as ReturnType<typeof create<typeof ModelProtoSchema>> & {
    graph: typeof graph;
  };
}

const states = ['present.3.key', 'present.4.key'];

describe('the residual stream', () => {
  it('is what everything passes through after each layer, not between its halves', () => {
    const { graph } = model();
    expect(layersOf(states)).toEqual([3, 4]);
    expect(streamOf(graph, states, names.logProb)).toEqual(['a', 'b']);
  });

  it('may be the sum in an operator that fuses it with a norm', () => {
    const skip = node('SkipSimplifiedLayerNormalization', ['4.middle', '4.mlp', 'scale'], ['normal'], {
      epsilon: { float: 1e-6 },
    });
    skip.domain = 'com.microsoft';
    const { graph } = model([skip]);
    graph.node = graph.node.filter((n) => n.output[0] !== 'b' && n.opType !== 'Tell');
    partSums(graph);
    expect(streamOf(graph, states, names.logProb)).toEqual(['a', 'gander.sum.normal']);
    const norm = graph.node.find((n) => n.output[0] === 'normal')!;
    expect([norm.opType, norm.input]).toEqual(['SimplifiedLayerNormalization', ['gander.sum.normal', 'scale']]);
    expect(norm.attribute.find(({ name }) => name === 'epsilon')?.f).toBeCloseTo(1e-6, 12);
  });

  it('ends before the head, which may be a sum of two halves', () => {
    const { graph } = model([
      node('Norm', ['b'], ['c']),
      node('MatMul', ['c', 'w'], ['gander.half.0.logits']),
      node('MatMul', ['c', 'w'], ['gander.half.1.logits']),
      node('Add', ['gander.half.0.logits', 'gander.half.1.logits'], ['normal']),
    ]);
    expect(streamOf(graph, states, names.logProb)).toEqual(['a', 'b']);
  });

  it('is not found in a graph with a path around it', () => {
    const { graph } = model([node('Add', ['b', 'x'], ['sum']), node('Norm', ['sum'], ['normal'])]);
    expect(() => streamOf(graph, states, names.logProb)).toThrow(
      expect.objectContaining({ code: 'request-invalid' }) as Error,
    );
  });

  it('is not found without numbered layers', () => {
    expect(() => streamOf(model().graph, [], names.logProb)).toThrow(/logit lens cannot be computed/);
  });
});

describe('the lens', () => {
  it('puts every layer’s row of one token in place of the last layer’s rows of all tokens', () => {
    const changed = model();
    insertLens(changed);
    const { graph } = changed;
    const of = (output: string) => graph.node.find((n) => n.output.includes(output))!;
    expect(of('normal').input).toEqual(['gander.lens.stack']);
    const rows = of('gander.lens.stack').input.map(of);
    expect(rows.map(({ input }) => input)).toEqual([
      ['a', lensNames.place],
      ['b', lensNames.place],
    ]);
    expect(of(names.logProb).input).toEqual(['normal', lensNames.targets]);
    const inputs = graph.input.map(({ name }) => name);
    expect(inputs).toContain(lensNames.place);
    expect(inputs).not.toContain(names.targets);
  });

  it('removes the routing’s outputs, but no state', () => {
    const changed = model();
    insertLens(changed);
    const outputs = changed.graph.output.map(({ name }) => name);
    expect(outputs).not.toContain('gander.affinity');
    expect(outputs).toEqual(expect.arrayContaining(states));
    expect(changed.graph.node.some(({ opType }) => opType === 'Tell')).toBe(false);
  });
});
