import { expect, it } from 'vitest';
import { removeGuards } from '../../../src/graph/guards.js';
import { DataType, node, valueInfo } from '../../../src/graph/model.js';
import type { GraphProto, NodeProto } from '../../../src/graph/onnx_pb.js';

const graphOf = (nodes: NodeProto[], ...outputs: string[]) =>
  ({
    node: nodes,
    output: (outputs.length > 0 ? outputs : ['y']).map((name) => valueInfo(name, DataType.FLOAT, [1])),
  }) as unknown as GraphProto;
const kinds = (graph: GraphProto) => graph.node.map((n) => n.opType);

it('removes the guard after a softmax', () => {
  const graph = graphOf([
    node('Softmax', ['scores'], ['p']),
    node('IsNaN', ['p'], ['bad']),
    node('Where', ['bad', 'zero', 'p'], ['safe']),
    node('MatMul', ['safe', 'v'], ['y']),
  ]);
  removeGuards(graph);
  expect(kinds(graph)).toEqual(['Softmax', 'MatMul']);
  expect(graph.node[1]!.input).toEqual(['p', 'v']);
});

it('removes the guard after the values are mixed', () => {
  const graph = graphOf([
    node('Softmax', ['scores'], ['p']),
    node('MatMul', ['p', 'v'], ['mixed']),
    node('Cast', ['mask'], ['seen']),
    node('ReduceSum', ['seen', 'axes'], ['count']),
    node('Less', ['count', 'one'], ['none']),
    node('Where', ['none', 'zero', 'mixed'], ['safe']),
    node('Transpose', ['safe'], ['y']),
  ]);
  removeGuards(graph);
  expect(kinds(graph)).toEqual(['Softmax', 'MatMul', 'Transpose']);
  expect(graph.node[2]!.input).toEqual(['mixed']);
});

it.each([
  ['another choice', [node('Softmax', ['s'], ['p']), node('Where', ['mask', 'zero', 'p'], ['safe'])]],
  [
    'no softmax',
    [node('Exp', ['s'], ['p']), node('IsNaN', ['p'], ['bad']), node('Where', ['bad', 'zero', 'p'], ['safe'])],
  ],
  [
    'of something else',
    [node('Softmax', ['s'], ['p']), node('IsNaN', ['s'], ['bad']), node('Where', ['bad', 'zero', 'p'], ['safe'])],
  ],
])('leaves %s alone', (_name, nodes) => {
  const graph = graphOf([...nodes, node('MatMul', ['safe', 'v'], ['y'])]);
  const before = kinds(graph);
  removeGuards(graph);
  expect(kinds(graph)).toEqual(before);
});

it('keeps a guard that is an output, and an IsNaN that something else reads', () => {
  const guard = () => [
    node('Softmax', ['s'], ['p']),
    node('IsNaN', ['p'], ['bad']),
    node('Where', ['bad', 'zero', 'p'], ['safe']),
  ];
  const output = graphOf(guard(), 'safe');
  removeGuards(output);
  expect(kinds(output)).toEqual(['Softmax', 'IsNaN', 'Where']);
  const read = graphOf([...guard(), node('MatMul', ['safe', 'v'], ['y']), node('Cast', ['bad'], ['z'])], 'y', 'z');
  removeGuards(read);
  expect(kinds(read)).toEqual(['Softmax', 'IsNaN', 'MatMul', 'Cast']);
});
