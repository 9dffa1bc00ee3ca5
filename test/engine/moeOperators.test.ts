/** What onnxruntime's operators with experts compute on a processor, compared with plain arithmetic, and what Gander says about it. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { tensorBytes } from '../../src/graph/external.js';
import { DataType, type NodeProto, floats, node, opset, valueInfo, writeModel } from '../../src/graph/model.js';
import { checkHolder } from '../../src/graph/moe/fused.js';
import { interleave, liesApart } from '../../src/graph/moe/interleave.js';
import { findRouters } from '../../src/graph/moe/routers.js';
import { tapRouters } from '../../src/graph/moe/tap.js';
import { names } from '../../src/graph/route.js';
import { Session, float32 } from '../../src/engine/runtime/session.js';
import { random } from '../../src/statistics/random.js';
import { modelOf } from '../unit/graph/moe/graphs.js';
import { largestDifference, temporaryFolder } from './support.js';

const [T, E, H, I, k] = [5, 6, 8, 4, 2] as const;
const next = random(11);
const numbers = (count: number, size = 1) => Float32Array.from({ length: count }, () => size * (2 * next() - 1));
const [x, router] = [numbers(T * H), numbers(H * E, 2)];
const [up, down] = [numbers(E * I * H), numbers(E * H * I)];

const silu = (a: number) => a / (1 + Math.exp(-a));
const softmax = (values: readonly number[]) => {
  const most = Math.max(...values);
  const z = values.reduce((sum, a) => sum + Math.exp(a - most), 0);
  return values.map((a) => Math.exp(a - most) / z);
};

const logits = Array.from({ length: T }, (_, t) =>
  Array.from({ length: E }, (_, e) => {
    let sum = 0;
    for (let h = 0; h < H; h++) sum += x[t * H + h]! * router[h * E + e]!;
    return sum;
  }),
);
const best = logits.map((row) => [...row.keys()].sort((a, b) => row[b]! - row[a]!).slice(0, k));

function expert(t: number, e: number): number[] {
  const hidden = Array.from({ length: I }, (_, i) => {
    let sum = 0;
    for (let h = 0; h < H; h++) sum += up[(e * I + i) * H + h]! * x[t * H + h]!;
    return silu(sum);
  });
  return Array.from({ length: H }, (_, h) => hidden.reduce((sum, a, i) => sum + down[(e * H + h) * I + i]! * a, 0));
}

/** [T, H] with the weights [T][k]. */
function mixed(weights: readonly (readonly number[])[]): Float32Array {
  const sum = new Float32Array(T * H);
  best.forEach((chosen, t) =>
    chosen.forEach((e, j) => expert(t, e).forEach((value, h) => (sum[t * H + h]! += weights[t]![j]! * value))),
  );
  return sum;
}

const rules = {
  normalised: best.map((chosen, t) => softmax(chosen.map((e) => logits[t]![e]!))),
  ofAll: best.map((chosen, t) => chosen.map((e) => softmax(logits[t]!)[e]!)),
};

/** Weights in 8 bits, in rows, with zero at 128. */
function rounded(values: Float32Array, width: number): { numbers: Uint8Array; scales: Float32Array } {
  const scales = Float32Array.from({ length: values.length / width }, (_, row) => {
    return Math.max(...values.subarray(row * width, (row + 1) * width).map(Math.abs)) / 127;
  });
  return { numbers: Uint8Array.from(values, (a, i) => Math.round(a / scales[Math.floor(i / width)]!) + 128), scales };
}

function operator(opType: 'MoE' | 'QMoE', attributes: Record<string, number>): NodeProto {
  const inputs =
    opType === 'MoE'
      ? ['x', 'scores', 'up', '', 'down', '']
      : ['x', 'scores', 'up', 'up.scales', '', 'down', 'down.scales', ''];
  const of = node(opType, inputs, ['y'], {
    k,
    activation_type: 'silu',
    ...(opType === 'QMoE' && { expert_weight_bits: 8 }),
    ...attributes,
  });
  of.domain = 'com.microsoft';
  return of;
}

function graphWith(holder: NodeProto, first = up) {
  const model = modelOf([node('MatMul', ['x', 'router'], ['scores']), holder], {
    inputs: [valueInfo('x', DataType.FLOAT, ['tokens', H])],
    outputs: [valueInfo('y', DataType.FLOAT, ['tokens', H])],
    constants: [floats('router', [H, E], router)],
  });
  const weights = { up: [first, H, [E, first.length / (E * H), H]], down: [down, I, [E, H, I]] } as const;
  for (const [name, [values, width, dims]] of Object.entries(weights)) {
    if (holder.opType === 'MoE') model.graph.initializer.push(floats(name, dims, values));
    else {
      const { numbers: bytes, scales } = rounded(values, width);
      const tensor = floats(name, dims, new Float32Array());
      tensor.dataType = DataType.UINT8;
      tensor.rawData = bytes;
      model.graph.initializer.push(tensor, floats(`${name}.scales`, dims.slice(0, 2), scales));
    }
  }
  return model;
}

async function run(
  model: ReturnType<typeof graphWith>,
  wanted: readonly string[],
  bias?: Float32Array,
  folder = temporaryFolder(),
) {
  const file = path.join(folder, 'model.onnx');
  writeFileSync(file, writeModel(model));
  const session = await Session.open(file, 1);
  const feeds = { x: float32(x, [T, H]), ...(bias && { [names.bias]: float32(bias, [1, E]) }) };
  const outputs = await session.run(feeds, wanted);
  await session.release();
  return outputs;
}

const numbersOf = async (holder: NodeProto) => (await run(graphWith(holder), ['y']))['y']!.data as Float32Array;

/** QMoE rounds its weights. */
const near = { MoE: 1e-5, QMoE: 0.1 };

it('has rules that differ by more than rounding', () => {
  expect(largestDifference(mixed(rules.normalised), mixed(rules.ofAll))).toBeGreaterThan(0.3);
  expect(opset(graphWith(operator('MoE', {})))).toBeGreaterThan(17);
});

describe('onnxruntime on a processor', () => {
  it.each([
    ['MoE', 1, 'normalised'],
    ['MoE', 0, 'ofAll'],
    ['QMoE', 1, 'normalised'],
    ['QMoE', 0, 'normalised'],
  ] as const)('computes %s with normalize_routing_weights %i: %s', async (opType, normalize_routing_weights, rule) => {
    const y = await numbersOf(operator(opType, { normalize_routing_weights }));
    expect(largestDifference(y, mixed(rules[rule]))).toBeLessThan(near[opType]);
  });

  it('silently ignores a sparse mixer', async () => {
    const y = await numbersOf(operator('MoE', { normalize_routing_weights: 1, use_sparse_mixer: 1 }));
    expect(largestDifference(y, mixed(rules.normalised))).toBeLessThan(near.MoE);
  });
});

describe('Gander', () => {
  it.each([
    ['MoE', 1, 'normalised'],
    ['MoE', 0, 'ofAll'],
    ['QMoE', 1, 'normalised'],
    ['QMoE', 0, 'ofAll'],
  ] as const)('tells and applies what %s means with normalize_routing_weights %i: %s', async (opType, normal, rule) => {
    const model = graphWith(operator(opType, { normalize_routing_weights: normal }));
    const { tapped, warnings } = tapRouters(model, findRouters(model.graph));
    const { chosen, weight, score } = tapped[0]!.tap;
    const outputs = await run(model, ['y', chosen, weight!, score], new Float32Array(E));
    expect(Array.from(outputs[chosen]!.data as BigInt64Array, Number)).toEqual(best.flat());
    expect(largestDifference(outputs[weight!]!.data as Float32Array, rules[rule].flat())).toBeLessThan(1e-5);
    expect(largestDifference(outputs[score]!.data as Float32Array, logits.flat())).toBeLessThan(1e-5);
    expect(largestDifference(outputs['y']!.data as Float32Array, mixed(rules[rule]))).toBeLessThan(near[opType]);
    expect(warnings.map(({ code }) => code)).toEqual(opType === 'QMoE' && normal === 0 ? ['weights-restored'] : []);
  });

  it.each([
    ['a sparse mixer', 'MoE', { use_sparse_mixer: 1 }, undefined],
    ['a third layer', 'MoE', {}, 6],
    ['a third layer', 'QMoE', {}, 8],
  ] as const)('refuses %s of %s', (what, opType, attributes, third) => {
    const holder = operator(opType, attributes);
    if (third !== undefined) {
      while (holder.input.length <= third) holder.input.push('');
      holder.input[third] = 'third';
    }
    expect(() => checkHolder(graphWith(holder).graph, holder, 'layers.0.router')).toThrow(
      expect.objectContaining({ code: 'base-invalid', message: expect.stringContaining(what) as string }) as Error,
    );
  });
});

describe('separate gate and values', () => {
  const gated = numbers(E * 2 * I * H);
  const biases = numbers(E * 2 * I);
  /** silu(gate) × value: an expert's first I rows are the gate's, the rest are the values'. */
  const mixedGated = (bias: Float32Array) => {
    const sum = new Float32Array(T * H);
    const row = (t: number, at: number) =>
      Array.from({ length: H }, (_, h) => gated[at * H + h]! * x[t * H + h]!).reduce((a, b) => a + b, bias[at]!);
    best.forEach((chosen, t) =>
      chosen.forEach((e, j) => {
        for (let i = 0; i < I; i++) {
          const hidden = silu(row(t, 2 * e * I + i)) * row(t, 2 * e * I + I + i);
          for (let h = 0; h < H; h++) sum[t * H + h]! += rules.normalised[t]![j]! * hidden * down[(e * H + h) * I + i]!;
        }
      }),
    );
    return sum;
  };
  const withGate = (opType: 'MoE' | 'QMoE', hasBias: boolean) => {
    const holder = operator(opType, { normalize_routing_weights: 1, swiglu_fusion: 2 });
    holder.attribute.find(({ name }) => name === 'activation_type')!.s = new TextEncoder().encode('swiglu');
    const model = graphWith(holder, gated);
    if (hasBias) {
      model.graph.initializer.push(floats('bias', [E, 2 * I], biases));
      holder.input[opType === 'MoE' ? 3 : 4] = 'bias';
    }
    return { holder, model };
  };

  it.each([
    ['MoE', false],
    ['MoE', true],
    ['QMoE', false],
    ['QMoE', true],
  ] as const)('are refused by onnxruntime, and interleaved for it: %s, bias %s', async (opType, hasBias) => {
    const { holder, model } = withGate(opType, hasBias);
    await expect(run(model, ['y'])).rejects.toMatchObject({ code: 'base-invalid' });
    expect(liesApart(model.graph, holder)).toBe(true);
    checkHolder(model.graph, holder, 'layers.0.router');
    const folder = temporaryFolder();
    interleave(folder, model.graph, [holder]);
    const { y } = await run(model, ['y'], undefined, folder);
    const wanted = mixedGated(hasBias ? biases : new Float32Array(E * 2 * I));
    expect(largestDifference(y!.data as Float32Array, wanted)).toBeLessThan(near[opType]);
    expect(largestDifference(wanted, new Float32Array(T * H))).toBeGreaterThan(0.3);
  });

  it('are interleaved together with their zero points', () => {
    const { holder, model } = withGate('QMoE', false);
    const zeros = floats('zeros', [E, 2 * I, 1], new Float32Array());
    zeros.dataType = DataType.UINT8;
    zeros.rawData = Uint8Array.from({ length: E * 2 * I }, (_, i) => i);
    model.graph.initializer.push(zeros);
    while (holder.input.length < 12) holder.input.push('');
    holder.input[11] = 'zeros';
    const folder = temporaryFolder();
    interleave(folder, model.graph, [holder]);
    const put = model.graph.initializer.find(({ name }) => name === holder.input[11])!;
    expect([...tensorBytes(folder, put).subarray(0, 2 * I)]).toEqual([0, 4, 1, 5, 2, 6, 3, 7]);
    expect([...tensorBytes(folder, put).subarray(2 * I, 2 * I + 4)]).toEqual([8, 12, 9, 13]);
  });

  it('are refused if they are not constant', () => {
    const { holder, model } = withGate('QMoE', false);
    holder.input[2] = 'x';
    expect(() => checkHolder(model.graph, holder, 'layers.0.router')).toThrow(/all gates before all values/);
  });
});
