import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findModules } from '../../../src/graph/find.js';
import {
  type GraphProto,
  type NodeProto,
  floats,
  int64s,
  node,
  parseModel,
  writeModel,
} from '../../../src/graph/model.js';

const fixture = (file: string) => readFileSync(new URL(`../../fixtures/${file}`, import.meta.url));
const sizes: Record<string, [number, number]> = {
  'self_attn.q_proj': [32, 32],
  'self_attn.k_proj': [32, 16],
  'self_attn.v_proj': [32, 16],
  'self_attn.o_proj': [32, 32],
  'mlp.gate_proj': [32, 64],
  'mlp.up_proj': [32, 64],
  'mlp.down_proj': [64, 32],
};
/** Without keys and values, data flow identifies nothing. */
const withoutFlow = (graph: GraphProto) => {
  graph.output = graph.output.filter(({ name }) => name === 'logits');
};
const paths = [0, 1].flatMap((layer) => Object.keys(sizes).map((name) => `model.layers.${layer}.${name}`));

it.each([
  ['the scope of its nodes', 'tiny-pool/base/model.onnx', 'MatMul'],
  ['the names of its weights', 'bases/initializer/model.onnx', 'MatMul'],
  ['the scope, as Gemm', 'bases/gemm/model.onnx', 'Gemm'],
  ['the metadata of torch.onnx', 'bases/dynamo/model.onnx', 'MatMul'],
  ['the scope, as MatMulNBits', 'bases/matmulnbits/model.onnx', 'MatMulNBits'],
  ['data flow', 'bases/optimised/model.onnx', 'MatMul'],
  ['data flow, in a packed product', 'bases/packed/model.onnx', 'MatMul'],
])('finds every module by %s', (_, file, opType) => {
  const { modules, missing } = findModules(parseModel(fixture(file)).graph, paths);
  expect([...missing]).toEqual([]);
  for (const path of paths) {
    const module = modules.get(path)!;
    expect(module.products.map((product) => product.node.opType)).toEqual([opType]);
    expect([module.dIn, module.dOut]).toEqual(sizes[path.replace(/^model\.layers\.\d\./, '')]);
  }
  // Modules with the same input form one group: 4 per layer.
  expect(new Set([...modules.values()].map(({ input }) => input)).size).toBe(8);
});

it('finds modules under the short scope that other exporters write', () => {
  const { graph } = parseModel(fixture('tiny-pool/base/model.onnx'));
  for (const n of graph.node) n.name = n.name.replace('/self_attn/', '/attn/').replace('/MatMul', '/MatMul_Q4');
  expect(findModules(graph, paths).missing.size).toBe(0);
});

it.each([
  ['below', '/model/', '/'],
  ['above', '/model/', '/wrapped/language_model/model/'],
])('finds modules in a graph that begins %s the model', (_, from, to) => {
  const { graph } = parseModel(fixture('tiny-pool/base/model.onnx'));
  for (const n of graph.node) n.name = n.name.replace(from, to);
  withoutFlow(graph);
  expect(findModules(graph, paths).missing.size).toBe(0);
});

it('does not take an encoder for a decoder', () => {
  const { graph } = parseModel(fixture('tiny-pool/base/model.onnx'));
  for (const n of graph.node) n.name = n.name.replace('/model/', '/model/encoder/');
  withoutFlow(graph);
  const asDecoder = paths.map((path) => path.replace('model.', 'model.decoder.'));
  expect(findModules(graph, asDecoder).missing.size).toBe(asDecoder.length);
});

it('distinguishes the modules of a layer by data flow, in any order', () => {
  const { graph } = parseModel(fixture('bases/optimised/model.onnx'));
  const { modules } = findModules(graph, paths);
  const named = parseModel(fixture('bases/dynamo/model.onnx')).graph;
  const wanted = findModules(named, paths).modules;
  // The optimiser keeps node names, which do not name modules but allow comparing the two graphs.
  const names = (of: typeof modules) => paths.map((path) => of.get(path)!.products.map(({ node: n }) => n.name));
  expect(names(modules)).toEqual(names(wanted));
  graph.node.reverse();
  expect(names(findModules(graph, paths).modules)).toEqual(names(wanted));
});

it('finds the head by the logits, and none if two products flow into them', () => {
  const { graph } = parseModel(fixture('bases/optimised/model.onnx'));
  expect(findModules(graph, ['lm_head']).modules.get('lm_head')).toMatchObject({ dIn: 32, dOut: 320 });
  const head = graph.node.find((n) => n.output.includes('logits'))!;
  graph.node.push({ ...head, output: ['more'] }, node('Add', ['logits.once', 'more'], ['logits']));
  head.output[0] = 'logits.once';
  expect(findModules(graph, ['lm_head']).missing.has('lm_head')).toBe(true);
});

it('takes the widths of a packed product from the attention that reads it', () => {
  const weight = (name: string, dims: number[]) => floats(name, dims, new Float32Array(dims[0]! * dims[1]!));
  const attention = node(
    'GroupQueryAttention',
    ['whole', '', '', 'past_key_values.0.key', 'past_key_values.0.value'],
    ['mixed', 'present.0.key', 'present.0.value'],
    { num_heads: 4, kv_num_heads: 2 },
  );
  const { graph } = parseModel(fixture('tiny-pool/base/model.onnx'));
  graph.initializer = [weight('a', [32, 64]), weight('b', [32, 32])];
  graph.node = [node('MatMul', ['u', 'a'], ['whole']), attention, node('MatMul', ['mixed', 'b'], ['o'])];
  const { modules } = findModules(graph, paths);
  const at = (kind: string) => {
    const { from, dOut } = modules.get(`model.layers.0.self_attn.${kind}_proj`)!;
    return [from, dOut];
  };
  expect([at('q'), at('k'), at('v'), at('o')]).toEqual([
    [0, 32],
    [32, 16],
    [48, 16],
    [undefined, 32],
  ]);
});

describe("an expert of the base's own mixture", () => {
  const moe = (rows: NodeProto[], u: string) => {
    const { graph } = parseModel(fixture('tiny-pool/base/model.onnx'));
    graph.initializer = ['r', 'w'].map((name) => floats(name, [32, 32], new Float32Array(1024)));
    graph.node = [
      { ...node('MatMul', ['hidden', 'r'], ['routed']), name: '/model/layers.0/mlp/gate/MatMul' },
      node('Add', ['hidden', 'routed'], ['states']),
      ...rows,
      { ...node('MatMul', [u, 'w'], ['out']), name: '/model/layers.0/mlp/experts.3/w1/MatMul' },
    ];
    return findModules(graph, ['model.layers.0.mlp.experts.3.w1']);
  };

  it('is placed if it runs over all tokens', () => {
    expect(moe([], 'states').modules.size).toBe(1);
  });

  it('is not placed if its tokens are gathered', () => {
    const gathered = [
      node('Greater', ['routed', 'r'], ['is']),
      node('NonZero', ['is'], ['where']),
      node('Gather', ['states', 'where'], ['few'], { axis: 0 }),
      node('Mul', ['few', 'few'], ['squared']),
    ];
    expect(moe(gathered, 'squared').missing.get('model.layers.0.mlp.experts.3.w1')).toMatch(/rows are not the tokens/);
  });

  it('does not affect modules after its output is scattered back', () => {
    const scattered = [
      node('NonZero', ['routed'], ['where']),
      node('Gather', ['states', 'where'], ['few'], { axis: 0 }),
      node('ScatterND', ['states', 'where', 'few'], ['all']),
    ];
    expect(moe(scattered, 'all').modules.size).toBe(1);
  });
});

it('places a product only once', () => {
  const { graph } = parseModel(fixture('tiny-pool/base/model.onnx'));
  const { modules, missing } = findModules(graph, [
    'model.layers.0.mlp.up_proj',
    'layers.0.mlp.up_proj',
    'model.layers.0.mlp.gate_up_proj',
  ]);
  expect([...modules.keys()]).toEqual(['model.layers.0.mlp.up_proj']);
  expect([...missing.values()].map((why) => why.includes('same multiplication as model'))).toEqual([true, true]);
});

it.each([
  ['FusedMatMul', /FusedMatMul, which has a factor in it/, { alpha: { float: 0.5 } }],
  ['MatMulInteger', /MatMulInteger, which rounds activations to 8 bits/, {}],
  ['DynamicQuantizeMatMul', /DynamicQuantizeMatMul, which rounds activations/, {}],
])('calls %s by its name', (opType, why, attributes) => {
  const { graph } = parseModel(fixture('tiny-pool/base/model.onnx'));
  const at = graph.node.findIndex(({ name }) => name === '/model/layers.0/mlp/down_proj/MatMul');
  const before = graph.node[at]!;
  graph.node[at] = {
    ...node(opType, before.input, before.output, attributes),
    name: '/model/layers.0/mlp/down_proj/MatMul/MatMulScaleFusion/',
  };
  expect(findModules(graph, ['model.layers.0.mlp.down_proj']).missing.get('model.layers.0.mlp.down_proj')).toMatch(why);
});

it('recognises a MatMul of two axes', () => {
  const { graph } = parseModel(fixture('tiny-pool/base/model.onnx'));
  const path = 'model.layers.0.mlp.down_proj';
  expect(findModules(graph, [path]).modules.get(path)!.products[0]!.flat).toBe(false);
  const product = graph.node.find(({ name }) => name === '/model/layers.0/mlp/down_proj/MatMul')!;
  graph.initializer.push(int64s('two', [-1, 64]));
  graph.node.push(node('Reshape', [product.input[0]!, 'two'], ['rows']));
  product.input[0] = 'rows';
  expect(findModules(graph, [path]).modules.get(path)!.products[0]!.flat).toBe(true);
});

it('reports what it cannot place and what it looked for', () => {
  const { graph } = parseModel(fixture('tiny-pool/base/model.onnx'));
  const { missing } = findModules(graph, ['model.layers.7.mlp.up_proj', 'lm_head_of_another_model']);
  expect(missing.get('model.layers.7.mlp.up_proj')).toMatch(
    /model\.layers\.7\.mlp\.up_proj\.weight.*\/model\/layers\.7\/mlp\/up_proj\/MatMul.*torch\.onnx/,
  );
  expect(missing.size).toBe(2);
});

it('does not guess between two multiplications with the same name', () => {
  const { graph } = parseModel(fixture('tiny-pool/base/model.onnx'));
  const weight = floats('twice.weight', [2, 2], new Float32Array(4));
  graph.initializer.push(weight);
  graph.node.push(node('MatMul', ['a', 'twice.weight'], ['b']), node('MatMul', ['b', 'twice.weight'], ['c']));
  expect(findModules(graph, ['twice']).missing.has('twice')).toBe(true);
});

it('writes what it read, including unknown fields', () => {
  const bytes = fixture('tiny-pool/base/model.onnx');
  // Field 4000, which ONNX does not have: a reader keeps fields of a newer writer.
  const future = Buffer.concat([bytes, Buffer.from([0x82, 0xfa, 0x01, 0x03, 1, 2, 3])]);
  const again = writeModel(parseModel(future));
  expect(Buffer.from(again).includes(Buffer.from([0x82, 0xfa, 0x01, 0x03, 1, 2, 3]))).toBe(true);
  expect(parseModel(again).graph.node.map(({ name }) => name)).toEqual(
    parseModel(bytes).graph.node.map(({ name }) => name),
  );
});

it.each([
  ['nothing', new Uint8Array()],
  ['text', new TextEncoder().encode('this is no model')],
  ['the first half of a model', fixture('tiny-pool/base/model.onnx').subarray(0, 100_000)],
])('refuses %s', (_, bytes) => {
  expect(() => parseModel(bytes)).toThrow(expect.objectContaining({ code: 'base-invalid' }));
});

it('ends in a graph whose shapes are made of themselves', () => {
  const { graph } = parseModel(fixture('tiny-pool/base/model.onnx'));
  graph.node.push(node('Concat', ['endless', 'endless'], ['endless']));
  const first = graph.node.find(({ opType, name }) => opType === 'MatMul' && name.includes('q_proj'))!;
  graph.node.push(node('Reshape', [first.input[0]!, 'endless'], ['shaped']));
  first.input[0] = 'shaped';
  expect(findModules(graph, paths).missing.size).toBe(0);
});
