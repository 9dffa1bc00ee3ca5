/** Changes to a base before anything is placed in it. */
import { expect, it } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { Builder } from '../../../src/graph/builder.js';
import { DataType, floats, graphAttribute, int64s, node, valueInfo } from '../../../src/graph/model.js';
import { type GraphProto, GraphProtoSchema, ModelProtoSchema } from '../../../src/graph/onnx_pb.js';
import { settlePast } from '../../../src/graph/past.js';
import { declareSingle } from '../../../src/graph/single.js';
import { unfuse } from '../../../src/graph/unfuse.js';

const graphOf = (given: Partial<GraphProto>): GraphProto => Object.assign(create(GraphProtoSchema), given);
const half = (name: string) => ({ ...floats(name, [1], new Float32Array(1)), dataType: DataType.FLOAT16 });

it('half precision is declared single wherever a graph names a type, in nested graphs too', () => {
  const inner = graphOf({
    node: [node('Cast', ['a'], ['b'], { to: DataType.BFLOAT16 })],
    initializer: [half('inner')],
    output: [valueInfo('b', DataType.BFLOAT16, [1])],
  });
  const loop = node('If', ['c'], ['b']);
  loop.attribute.push(graphAttribute('then_branch', inner));
  const graph = graphOf({
    node: [
      loop,
      node('Cast', ['x'], ['y'], { to: DataType.FLOAT16 }),
      node('Cast', ['x'], ['z'], { to: DataType.INT64 }),
    ],
    initializer: [half('outer'), int64s('n', [1])],
    input: [valueInfo('past_key_values.0.key', DataType.FLOAT16, [1]), valueInfo('input_ids', DataType.INT64, [1])],
  });
  const model = Object.assign(create(ModelProtoSchema), { graph });
  expect(declareSingle(model).map(({ name }) => name)).toEqual(['outer', 'inner']);
  const to = (n: GraphProto['node'][number]) => Number(n.attribute.find(({ name }) => name === 'to')?.i);
  expect([to(graph.node[1]!), to(graph.node[2]!)]).toEqual([DataType.FLOAT, DataType.INT64]);
  const nested = graph.node[0]!.attribute[0]!.g!;
  expect(to(nested.node[0]!)).toBe(DataType.FLOAT);
  const types = [...graph.input, ...nested.output].map(({ type }) =>
    type?.value.case === 'tensorType' ? type.value.value.elemType : undefined,
  );
  expect(types).toEqual([DataType.FLOAT, DataType.INT64, DataType.FLOAT]);
});

it('a Gemm is split from its activation', () => {
  const fused = node('FusedGemm', ['u', 'w', 'b'], ['y'], { activation: 'Relu', transB: 1 });
  fused.domain = 'com.microsoft';
  const leaky = node('FusedGemm', ['u', 'w'], ['z'], { activation: 'LeakyRelu' });
  const graph = graphOf({ node: [fused, leaky] });
  unfuse(graph);
  expect(graph.node.map((n) => [n.opType, n.domain, n.input, n.output])).toEqual([
    ['Gemm', '', ['u', 'w', 'b'], ['gander.fused.y']],
    ['Relu', '', ['gander.fused.y'], ['y']],
    ['FusedGemm', '', ['u', 'w'], ['z']],
  ]);
  expect(graph.node[0]!.attribute.map(({ name }) => name)).toEqual(['transB']);
});

const widthOf = ({ type }: ReturnType<typeof valueInfo>) =>
  type?.value.case === 'tensorType' ? type.value.value.shape?.dim.at(-1)?.value : undefined;

it('the width of keys and values that a graph leaves open comes from their product', () => {
  const past = ['key', 'value'].map((part) =>
    valueInfo(`past_key_values.0.${part}`, DataType.FLOAT, ['batch', 2, 'past', 'width']),
  );
  const weight = (name: string, columns: number) => floats(name, [8, columns], new Float32Array(8 * columns));
  const graph = graphOf({
    input: past,
    initializer: [weight('q', 8), weight('k', 8), weight('v', 8), weight('o', 8)],
    node: [
      ...['q', 'k', 'v'].map((kind) => node('MatMul', ['u', kind], [`${kind}.out`])),
      ...['key', 'value'].map((part) =>
        node('Concat', [`past_key_values.0.${part}`, `${part[0]!}.out`], [`present.0.${part}`], { axis: 2 }),
      ),
      node('Attention', ['q.out', 'present.0.key', 'present.0.value'], ['mixed']),
      node('MatMul', ['mixed', 'o'], ['out']),
    ],
    output: ['present.0.key', 'present.0.value'].map((name) => valueInfo(name, DataType.FLOAT, [])),
  });
  settlePast(graph);
  expect(graph.input.map(widthOf)).toEqual([
    { case: 'dimValue', value: 4n },
    { case: 'dimValue', value: 4n },
  ]);
});

it('the same works if attention takes them packed, in half precision with casts, and its output cannot be identified', () => {
  const parts = ['key', 'value'];
  const past = parts.map((part) =>
    valueInfo(`past_key_values.0.${part}`, DataType.FLOAT, ['batch', 2, 'past', 'width']),
  );
  const graph = graphOf({
    input: past,
    initializer: [floats('qkv', [8, 32], new Float32Array(256))],
    node: [
      node('MatMul', ['u', 'qkv'], ['packed']),
      node('GroupQueryAttention', ['packed', '', '', 'in.key', 'in.value'], ['mixed', 'out.key', 'out.value'], {
        num_heads: 4,
        kv_num_heads: 2,
      }),
      ...parts.map((part) => node('Cast', [`out.${part}`], [`present.0.${part}`], { to: DataType.FLOAT })),
      node('FusedMatMul', ['mixed', 'o'], ['out']),
    ],
    output: parts.map((part) => valueInfo(`present.0.${part}`, DataType.FLOAT, [])),
  });
  settlePast(graph);
  expect(graph.input.map(widthOf)).toEqual([
    { case: 'dimValue', value: 4n },
    { case: 'dimValue', value: 4n },
  ]);
});

it('nodes are moved only if they would precede what they need', () => {
  const [a, b, c] = [node('Relu', ['x'], ['a']), node('Add', ['a', 'late'], ['b']), node('Relu', ['y'], ['c'])];
  const graph = graphOf({ node: [a, b, c] });
  const builder = new Builder(graph, 17);
  builder.after(c, [node('Relu', ['c'], ['late']), node('Relu', ['b'], ['d'])]);
  builder.finish();
  expect(graph.node.map((n) => n.output[0])).toEqual(['a', 'c', 'late', 'b', 'd']);
});
