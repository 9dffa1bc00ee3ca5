/** 8-bit products give the same result on every processor, or there is a warning that they do not. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { createEngine } from '../../src/engine/local.js';
import { Session, float32 } from '../../src/engine/runtime/session.js';
import { DataType, floats, node, valueInfo, writeModel } from '../../src/graph/model.js';
import { TensorProtoSchema } from '../../src/graph/onnx_pb.js';
import { random as seeded } from '../../src/statistics/random.js';
import { modelOf } from '../unit/graph/moe/graphs.js';
import { eightBitHead } from './eightBitHead.js';
import { copyOfTinyPool, pooled, root, temporaryFolder } from './support.js';

const depth = 64;
const width = 32;

const bytes = (name: string, dataType: DataType, dims: readonly number[], rawData: Uint8Array) =>
  create(TensorProtoSchema, { name, dataType, dims: dims.map(BigInt), rawData });
const scalar = (name: string, value: number) => floats(name, [], Float32Array.of(value));
const microsoft = (of: ReturnType<typeof node>) => Object.assign(of, { domain: 'com.microsoft' });

async function run(nodes: ReturnType<typeof node>[], constants: ReturnType<typeof bytes>[], x: Float32Array) {
  const file = path.join(temporaryFolder(), 'model.onnx');
  const model = modelOf(nodes, {
    inputs: [valueInfo('x', DataType.FLOAT, ['tokens', depth])],
    outputs: [valueInfo('y', DataType.FLOAT, ['tokens', width])],
    constants,
  });
  model.opsetImport[0]!.version = 21n;
  writeFileSync(file, writeModel(model));
  const session = await Session.open(file, 1);
  const { y } = await session.run({ x: float32(x, [x.length / depth, depth]) }, ['y']);
  await session.release();
  return y!.data as Float32Array;
}

/** Inputs and weights have the largest values possible: the sum of two products does not fit into 16 bits. */
const largest = [
  bytes('weights', DataType.INT8, [depth, width], new Uint8Array(depth * width).fill(127)),
  bytes('byte', DataType.UINT8, [], Uint8Array.of(0)),
  scalar('one', 1),
  scalar('step', 1 / 255),
];

describe.each([1, 5])('sums are exact on this processor, for %i tokens', (tokens) => {
  it.each([
    [
      'MatMulInteger',
      [
        node('DynamicQuantizeLinear', ['x'], ['bytes', 'steps', 'zero']),
        node('MatMulInteger', ['bytes', 'weights', 'zero'], ['sums']),
        node('Cast', ['sums'], ['floats'], { to: DataType.FLOAT }),
        node('Mul', ['floats', 'steps'], ['y']),
      ],
    ],
    ['DynamicQuantizeMatMul', [microsoft(node('DynamicQuantizeMatMul', ['x', 'weights', 'one'], ['y']))]],
    [
      'MatMul between QuantizeLinear and DequantizeLinear',
      [
        node('QuantizeLinear', ['x', 'step', 'byte'], ['bytes']),
        node('DequantizeLinear', ['bytes', 'step', 'byte'], ['inputs']),
        node('DequantizeLinear', ['weights', 'one'], ['floats']),
        node('MatMul', ['inputs', 'floats'], ['y']),
      ],
    ],
  ])('%s', async (_, nodes) => {
    const y = await run(nodes, largest, new Float32Array(tokens * depth).fill(1));
    for (const sum of y) expect(sum).toBeCloseTo(127 * depth, 1);
  });
});

it.each([
  ['INT4', 8, 15],
  ['INT8', 128, 255],
] as const)('weights in %s that the file dequantises are multiplied as floats', async (type, zero, mask) => {
  const random = seeded(1);
  const x = Float32Array.from({ length: 3 * depth }, () => random() - 0.5);
  const values = Uint8Array.from({ length: depth * width }, () => Math.floor(random() * (mask + 1)));
  // Two's complement: the other half of the range.
  const signed = values.map((v) => (v + zero) & mask);
  const stored =
    type === 'INT8' ? signed : signed.filter((_, i) => i % 2 === 0).map((v, i) => v | (signed[2 * i + 1]! << 4));
  const y = await run(
    [
      node('DequantizeLinear', ['weights', 'steps'], ['floats'], { axis: 0, block_size: 32 }),
      node('MatMul', ['x', 'floats'], ['y']),
    ],
    [
      bytes('weights', DataType[type], [depth, width], stored),
      floats('steps', [depth / 32, width], new Float32Array((depth / 32) * width).fill(1 / zero)),
    ],
    x,
  );
  y.forEach((got, at) => {
    const [token, column] = [Math.floor(at / width), at % width];
    let wanted = 0;
    for (let i = 0; i < depth; i++) wanted += (x[token * depth + i]! * (values[i * width + column]! - zero)) / zero;
    expect(got).toBeCloseTo(wanted, 4);
  });
});

it('a base whose head multiplies in 8 bits gives a warning, and numbers close to the original’s', async () => {
  const pool = copyOfTinyPool();
  const file = path.join(pool, 'base/model.onnx');
  writeFileSync(file, eightBitHead(readFileSync(file)));
  const cache = temporaryFolder();
  const ask = async (folder: string) => {
    const engine = await createEngine({ pool: folder, cache, threads: 1, chunk: 256 });
    const { warnings } = await engine.info();
    const { logProb } = pooled(await engine.route({ text: 'the model routes each token', strategy: { name: 'base' } }));
    engine.dispose();
    return { warnings, logProb: [...logProb!].slice(1) };
  };
  const [rounded, exact] = [await ask(pool), await ask(path.join(root, 'test/fixtures/tiny-pool'))];
  expect(exact.warnings).toEqual([]);
  expect(rounded.warnings).toMatchObject([
    { code: 'inputs-rounded', text: expect.stringMatching(/^The base .*MatMulInteger.* neighbours/) as string },
  ]);
  rounded.logProb.forEach((p, i) => expect(Math.abs(p - exact.logProb[i]!)).toBeLessThan(0.3));
});
