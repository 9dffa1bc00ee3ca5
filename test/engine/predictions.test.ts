/** The predictions of the next tokens in onnxruntime, whichever way the head is computed. */
import '../../src/engine/runtime/telemetry.js';
import * as ort from 'onnxruntime-node';
import { create } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { halve, halvedNodes } from '../../src/graph/halves.js';
import { DataType, floats, node, valueInfo, writeModel } from '../../src/graph/model.js';
import { ModelProtoSchema, type TensorProto, TensorProtoSchema } from '../../src/graph/onnx_pb.js';
import { insertPredictions } from '../../src/graph/predictions.js';
import { names } from '../../src/graph/route.js';

const [blocks, block] = [2, 32];
const d = blocks * block;
const p = 5;

/** An 8-bit head with V rows: its values, and the model with predictions instead of logits. */
function headOf(vocabulary: number, hasZeroPoints: boolean) {
  const random = pseudoRandom();
  const weights = Uint8Array.from({ length: vocabulary * d }, () => 256 * random());
  const scales = Float32Array.from({ length: vocabulary * blocks }, () => 0.001 + 0.002 * random());
  const zeroPoints = hasZeroPoints
    ? Uint8Array.from({ length: vocabulary * blocks }, () => 100 + 50 * random())
    : undefined;
  const bytes = (name: string, dims: number[], rawData: Uint8Array): TensorProto =>
    create(TensorProtoSchema, { name, dataType: DataType.UINT8, dims: dims.map(BigInt), rawData });
  const product = node('MatMulNBits', ['hidden', 'w', 's', ...(zeroPoints ? ['z'] : [])], ['logits'], {
    K: d,
    N: vocabulary,
    bits: 8,
    block_size: block,
  });
  product.domain = 'com.microsoft';
  const halves = halve(weights, zeroPoints, scales, vocabulary);
  const half = (i: 0 | 1) => [
    bytes(`w.${i}`, [vocabulary, blocks, block / 2], halves.weights[i]),
    floats(`s.${i}`, [vocabulary * blocks], halves.scales[i]),
    bytes(`z.${i}`, [vocabulary], halves.zeroPoints[i]),
  ];
  const [high, low] = [half(0), half(1)];
  const namesOf = (tensors: readonly { name: string }[]) => tensors.map(({ name }) => name);
  const model = create(ModelProtoSchema, {
    irVersion: 9n,
    opsetImport: [
      { domain: '', version: 18n },
      { domain: 'com.microsoft', version: 1n },
    ],
    graph: {
      name: 'head',
      node: halvedNodes(product, [namesOf(high), namesOf(low)]),
      initializer: [
        bytes('w', [vocabulary, blocks, block], weights),
        floats('s', [vocabulary, blocks], scales),
        ...(zeroPoints ? [bytes('z', [vocabulary * blocks], zeroPoints)] : []),
        ...high,
        ...low,
      ],
      input: [valueInfo('hidden', DataType.FLOAT, [1, 'tokens', d])],
      output: [valueInfo('logits', DataType.FLOAT, [1, 'tokens', vocabulary])],
    },
  }) as Parameters<typeof insertPredictions>[0];
  insertPredictions(model, p, new Map([['logits', product]]));
  const weight = (row: number, i: number) => {
    const cell = row * blocks + Math.floor(i / block);
    return scales[cell]! * (weights[row * d + i]! - (zeroPoints?.[cell] ?? 128));
  };
  const logits = (hidden: Float32Array) =>
    Float64Array.from({ length: vocabulary }, (_, row) => hidden.reduce((sum, x, i) => sum + x * weight(row, i), 0));
  return { model, logits };
}

function pseudoRandom(): () => number {
  let state = 1;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

it.each([
  ['few tokens, by halves', 5120, false, 5],
  ['many, by slices', 5120, false, 40],
  ['many, by slices of a head with zero points', 5120, true, 40],
  ['many, with a vocabulary of one slice', 1536, false, 40],
  ['many, with a vocabulary without slices', 4099, true, 70],
])('are right for %s', async (_, vocabulary, hasZeroPoints, t) => {
  const { model, logits } = headOf(vocabulary, hasZeroPoints);
  expect(model.graph.node.some(({ opType }) => opType === 'If')).toBe(vocabulary !== 4099);
  const random = pseudoRandom();
  const hidden = Float32Array.from({ length: t * d }, () => 4 * random() - 2);
  // Including the first and last row of slices.
  const targets = Array.from({ length: t }, (_unused, i) => [0, 1279, 1280, vocabulary - 1, 700][i % 5]! % vocabulary);
  const session = await ort.InferenceSession.create(writeModel(model), { logSeverityLevel: 3 });
  const outputs = await session.run({
    hidden: new ort.Tensor('float32', hidden, [1, t, d]),
    [names.targets]: new ort.Tensor('int64', BigInt64Array.from(targets, BigInt), [1, t, 1]),
  });
  await session.release();
  const floatsOf = (name: string) => outputs[name]!.data as Float32Array;
  const ids = outputs[names.topIds]!.data as BigInt64Array;
  expect(outputs[names.topLogProb]!.dims).toEqual([t, p]);
  expect(outputs[names.logProb]!.dims).toEqual([1, t, 1]);
  for (let i = 0; i < t; i++) {
    const row = logits(hidden.subarray(i * d, (i + 1) * d));
    const sum = Math.log(row.reduce((total, x) => total + Math.exp(x), 0));
    expect(floatsOf(names.logProb)[i]).toBeCloseTo(row[targets[i]!]! - sum, 4);
    const best = [...row.keys()].sort((a, b) => row[b]! - row[a]!).slice(0, p);
    for (const [j, id] of best.entries()) {
      expect(floatsOf(names.topLogProb)[i * p + j]).toBeCloseTo(row[id]! - sum, 4);
      expect(row[Number(ids[i * p + j])]).toBeCloseTo(row[id]!, 4);
    }
    if (i === t - 1) expect([...floatsOf(names.last)].every((x, v) => Math.abs(x - row[v]!) < 1e-4)).toBe(true);
  }
});
