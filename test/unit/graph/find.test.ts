import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { findModules } from '../../../src/graph/find.js';
import { floats, node, parseModel, writeModel } from '../../../src/graph/model.js';

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
const paths = [0, 1].flatMap((layer) => Object.keys(sizes).map((name) => `model.layers.${layer}.${name}`));

it.each([
  ['the scope of its nodes', 'tiny-pool/base/model.onnx', 'MatMul'],
  ['the names of its weights', 'bases/initializer/model.onnx', 'MatMul'],
  ['the scope, as Gemm', 'bases/gemm/model.onnx', 'Gemm'],
  ['the metadata of torch.onnx', 'bases/dynamo/model.onnx', 'MatMul'],
  ['the scope, as MatMulNBits', 'bases/matmulnbits/model.onnx', 'MatMulNBits'],
])('finds every module by %s', (_, file, opType) => {
  const { sites, missing } = findModules(parseModel(fixture(file)).graph, paths);
  expect([...missing]).toEqual([]);
  for (const path of paths) {
    const site = sites.get(path)!;
    expect(site.products.map((product) => product.node.opType)).toEqual([opType]);
    expect([site.dIn, site.dOut]).toEqual(sizes[path.replace(/^model\.layers\.\d\./, '')]);
  }
  // What shares an input forms one group: 4 a layer.
  expect(new Set([...sites.values()].map(({ input }) => input)).size).toBe(8);
});

it('finds modules under the short scope that other exporters write', () => {
  const { graph } = parseModel(fixture('tiny-pool/base/model.onnx'));
  for (const n of graph.node) n.name = n.name.replace('/self_attn/', '/attn/').replace('/MatMul', '/MatMul_Q4');
  expect(findModules(graph, paths).missing.size).toBe(0);
});

it('names what it cannot place and what it looked for', () => {
  const { graph } = parseModel(fixture('tiny-pool/base/model.onnx'));
  const { missing } = findModules(graph, ['model.layers.7.mlp.up_proj', 'lm_head_of_another_model']);
  expect(missing.get('model.layers.7.mlp.up_proj')).toMatch(
    /model\.layers\.7\.mlp\.up_proj\.weight.*\/model\/layers\.7\/mlp\/up_proj\/MatMul.*torch\.onnx/,
  );
  expect(missing.size).toBe(2);
});

it('does not guess between two multiplications of one name', () => {
  const { graph } = parseModel(fixture('tiny-pool/base/model.onnx'));
  const weight = floats('twice.weight', [2, 2], new Float32Array(4));
  graph.initializer.push(weight);
  graph.node.push(node('MatMul', ['a', 'twice.weight'], ['b']), node('MatMul', ['b', 'twice.weight'], ['c']));
  expect(findModules(graph, ['twice']).missing.has('twice')).toBe(true);
});

it('writes what it read, unknown fields and all', () => {
  const bytes = fixture('tiny-pool/base/model.onnx');
  // Field 4000, which no ONNX has: kept by a reader that knows less than the writer did.
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
