// Pools whose numbers are random: for what depends on shapes alone, such as time and memory. Random gates spread tokens at least
// as widely as trained ones.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { create } from '@bufbuild/protobuf';
import { encodeSafetensors } from '../src/formats/safetensors.js';
import { withDataFile, type DataFile } from '../src/graph/external.js';
import { DataType, externalTensor, floats, int64s, node, valueInfo, writeModel } from '../src/graph/model.js';
import { GraphProtoSchema, ModelProtoSchema, type NodeProto, type TensorProto } from '../src/graph/onnx_pb.js';
import { random as seeded } from '../src/statistics/random.js';

/** Runs `work` with a folder for gigabytes, which are deleted even if somebody interrupts it. */
export async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'gander-bench-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  try {
    await work(folder);
  } finally {
    remove();
  }
}

/** Widths of a linear layer. */
export interface Linear {
  readonly dIn: number;
  readonly dOut: number;
}

/** Experts of random numbers, one after another to save memory. @param modules by path */
export function writeExperts(
  folder: string,
  modules: ReadonlyMap<string, Linear>,
  { experts, rank }: { readonly experts: number; readonly rank: number },
): void {
  const random = seeded(1);
  for (let e = 0; e < experts; e++) {
    const expert = path.join(folder, 'experts', `expert-${String(e).padStart(4, '0')}`);
    mkdirSync(expert, { recursive: true });
    const config = { peft_type: 'LORA', r: rank, lora_alpha: rank };
    writeFileSync(path.join(expert, 'adapter_config.json'), JSON.stringify(config));
    const adapter = [...modules].flatMap(([name, { dIn, dOut }]) => [
      matrix(`base_model.model.${name}.lora_A.weight`, [rank, dIn], 1 / Math.sqrt(dIn), random),
      matrix(`base_model.model.${name}.lora_B.weight`, [dOut, rank], 0.02, random),
    ]);
    writeFileSync(path.join(expert, 'adapter_model.safetensors'), encodeSafetensors(adapter));
    const gates = [...modules].map(([name, { dIn }]) => matrix(name, [dIn], 1, random));
    writeFileSync(path.join(expert, 'gate.safetensors'), encodeSafetensors(gates));
  }
}

/** Uniform numbers of variance 1. Larger tensors take them again and again, from another one on each time. */
const numbers = (() => {
  const random = seeded(1);
  return Float32Array.from({ length: 9973 }, () => (2 * random() - 1) * Math.sqrt(3));
})();

/** Numbers of variance scale², in bfloat16. */
function matrix(name: string, shape: number[], scale: number, random: () => number) {
  const size = shape.reduce((product, n) => product * n, 1);
  const bits = new Uint32Array(Float32Array.from(numbers, (n) => n * scale).buffer);
  const data = new Uint16Array(size);
  let at = Math.floor(random() * bits.length);
  for (let i = 0; i < size; i++, at = at + 1 === bits.length ? 0 : at + 1) data[i] = bits[at]! >>> 16;
  return { name, dtype: 'BF16' as const, shape, data };
}

/** What a Llama's shape depends on. */
export interface Shape {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly hidden: number;
  readonly vocabulary: number;
}

/** Every linear layer of each layer, by its path at Hugging Face. */
export function linears({ layers, width, heads, kvHeads, hidden }: Shape): Map<string, Linear> {
  const kv = (width / heads) * kvHeads;
  const one = {
    'self_attn.q_proj': { dIn: width, dOut: width },
    'self_attn.k_proj': { dIn: width, dOut: kv },
    'self_attn.v_proj': { dIn: width, dOut: kv },
    'self_attn.o_proj': { dIn: width, dOut: width },
    'mlp.gate_proj': { dIn: width, dOut: hidden },
    'mlp.up_proj': { dIn: width, dOut: hidden },
    'mlp.down_proj': { dIn: hidden, dOut: width },
  };
  return new Map(
    Array.from({ length: layers }, (_, l) =>
      Object.entries(one).map(([name, linear]) => [`model.layers.${l}.${name}`, linear] as const),
    ).flat(),
  );
}

/** Parameters, the head's shared with the embedding. */
export const parametersOf = (shape: Shape): number =>
  [...linears(shape).values()].reduce((sum, { dIn, dOut }) => sum + dIn * dOut, shape.vocabulary * shape.width);

/** Numbers of 4 bits with a scale for so many. */
const block = 32;
const context = 8192;

/**
 * Writes a pool's folder: a Llama of this shape with random weights of 4 bits, as onnxruntime-genai's builder writes one
 * (`model.onnx`), with the tokenizer of another pool.
 */
export function writeBase(folder: string, shape: Shape, tokenizer: string): void {
  const base = path.join(folder, 'base');
  mkdirSync(base, { recursive: true });
  cpSync(tokenizer, path.join(base, 'tokenizer.json'));
  writeFileSync(path.join(base, 'config.json'), JSON.stringify({ max_position_embeddings: context }));
  writeFileSync(
    path.join(folder, 'pool.json'),
    JSON.stringify({
      format: 'gander-pool',
      version: 1,
      id: 'made-up',
      name: 'made-up',
      description: 'Random numbers.',
      license: 'Apache-2.0',
      base: { name: 'made-up', model: 'base/model.onnx', tokenizer: 'base/tokenizer.json', config: 'base/config.json' },
      experts: 'experts',
      topK: 2,
    }),
  );
  writeFileSync(
    path.join(base, 'model.onnx'),
    withDataFile(base, 'model.bin', (data) => llama(shape, data)),
  );
}

function llama(shape: Shape, data: DataFile): Uint8Array {
  const { layers, width, heads, kvHeads, vocabulary } = shape;
  const size = width / heads;
  const random = seeded(2);
  const nodes: NodeProto[] = [];
  const tensors: TensorProto[] = [];
  const add = (type: string, inputs: string[], outputs: string[], attributes = {}, domain = '') => {
    const made = node(type, inputs, outputs, attributes);
    made.domain = domain;
    nodes.push(made);
    return made;
  };
  const stored = (name: string, dataType: DataType, dims: readonly number[], values: Float32Array | Uint8Array) => {
    const { location, offset } = data.append(values);
    tensors.push(externalTensor(name, dataType, dims.map(BigInt), location, offset, values.byteLength));
    return name;
  };
  // The same few random bytes again and again: products take as long with them.
  const bytes = Uint8Array.from({ length: 1 << 16 }, () => random() * 256);
  const nibbles = (count: number) => {
    const all = new Uint8Array(count);
    for (let at = 0; at < count; at += bytes.length) all.set(bytes.subarray(0, Math.min(bytes.length, count - at)), at);
    return all;
  };
  // Uniform over 16 levels, whose standard deviation is 4.6: what comes out has the variance of what goes in.
  const scales = (count: number, dIn: number) => new Float32Array(count).fill(1 / (4.6 * Math.sqrt(dIn)));
  const product = (scope: string, input: string, { dIn, dOut }: Linear) => {
    const name = scope.replace('self_attn', 'attn');
    const blocks = dIn / block;
    const weights = [
      stored(`${name}.MatMul.weight_Q4`, DataType.UINT8, [dOut, blocks, block / 2], nibbles((dOut * dIn) / 2)),
      stored(`${name}.MatMul.weight_scales`, DataType.FLOAT, [dOut * blocks], scales(dOut * blocks, dIn)),
    ];
    const output = `${name}.out`;
    const made = add(
      'MatMulNBits',
      [input, ...weights],
      [output],
      { K: dIn, N: dOut, bits: 4, block_size: block },
      'com.microsoft',
    );
    made.name = `/${name.replaceAll('.', '/').replace(/layers\/(\d+)/, 'layers.$1')}/MatMul_Q4`;
    return output;
  };
  const ones = floats('ones', [width], new Float32Array(width).fill(1));
  tensors.push(ones, int64s('one', [1], true), int64s('last', [1]));
  const normalised = (input: string, output: string) => {
    add('SimplifiedLayerNormalization', [input, 'ones'], [output], {
      axis: -1,
      epsilon: { float: 1e-5 },
      stash_type: 1,
    });
    return output;
  };

  add('ReduceSum', ['attention_mask', 'last'], ['lengths'], { keepdims: 0 });
  add('Sub', ['lengths', 'one'], ['ends.long']);
  add('Cast', ['ends.long'], ['ends'], { to: DataType.INT32 });
  add('Shape', ['attention_mask'], ['mask.shape']);
  add('Gather', ['mask.shape', 'one'], ['total.long'], { axis: 0 });
  add('Cast', ['total.long'], ['total'], { to: DataType.INT32 });
  const half = size / 2;
  const angle = (i: number) => Math.floor(i / half) * 10_000 ** (-(i % half) / half);
  const rotation = (of: (x: number) => number) => Float32Array.from({ length: context * half }, (_, i) => of(angle(i)));
  stored('cos', DataType.FLOAT, [context, half], rotation(Math.cos));
  stored('sin', DataType.FLOAT, [context, half], rotation(Math.sin));

  // Its numbers are the head's as well, but each has a copy: that is what Gander would load, too.
  const words = [
    stored('embedding.q4', DataType.UINT8, [vocabulary, width / 2], nibbles((vocabulary * width) / 2)),
    'input_ids',
    stored(
      'embedding.scales',
      DataType.FLOAT,
      [vocabulary, width / block],
      new Float32Array((vocabulary * width) / block).fill(0.2),
    ),
  ];
  add(
    'GatherBlockQuantized',
    words,
    ['x.0'],
    { bits: 4, block_size: block, gather_axis: 0, quantize_axis: 1 },
    'com.microsoft',
  );
  let x = 'x.0';
  const all = linears(shape);
  for (let l = 0; l < layers; l++) {
    const at = `model.layers.${l}`;
    const linear = (name: string, input: string) => product(`${at}.${name}`, input, all.get(`${at}.${name}`)!);
    const u = normalised(x, `${at}.u`);
    const [q, k, v] = (['q', 'k', 'v'] as const).map((one) => linear(`self_attn.${one}_proj`, u));
    add(
      'GroupQueryAttention',
      [q!, k!, v!, `past_key_values.${l}.key`, `past_key_values.${l}.value`, 'ends', 'total', 'cos', 'sin'],
      [`${at}.attended`, `present.${l}.key`, `present.${l}.value`],
      { num_heads: heads, kv_num_heads: kvHeads, do_rotary: 1 },
      'com.microsoft',
    );
    add('Add', [x, linear('self_attn.o_proj', `${at}.attended`)], [`${at}.middle`]);
    const w = normalised(`${at}.middle`, `${at}.w`);
    const gate = linear('mlp.gate_proj', w);
    add('Sigmoid', [gate], [`${at}.sigmoid`]);
    add('Mul', [gate, `${at}.sigmoid`], [`${at}.silu`]);
    add('Mul', [`${at}.silu`, linear('mlp.up_proj', w)], [`${at}.gated`]);
    add('Add', [`${at}.middle`, linear('mlp.down_proj', `${at}.gated`)], [`x.${l + 1}`]);
    x = `x.${l + 1}`;
  }
  product('lm_head', normalised(x, 'final'), { dIn: width, dOut: vocabulary });
  nodes.at(-1)!.output[0] = 'logits';

  const past = ['batch_size', kvHeads, 'past_sequence_length', size];
  const present = ['batch_size', kvHeads, 'total_sequence_length', size];
  const each = (name: string, dims: readonly (string | number)[]) =>
    Array.from({ length: layers }, (_, l) =>
      ['key', 'value'].map((part) => valueInfo(`${name}.${l}.${part}`, DataType.FLOAT, dims)),
    ).flat();
  const model = create(ModelProtoSchema, {
    irVersion: 9n,
    opsetImport: [
      { domain: '', version: 17n },
      { domain: 'com.microsoft', version: 1n },
    ],
    graph: create(GraphProtoSchema, {
      name: 'made-up',
      node: nodes,
      initializer: tensors,
      input: [
        valueInfo('input_ids', DataType.INT64, ['batch_size', 'sequence_length']),
        valueInfo('attention_mask', DataType.INT64, ['batch_size', 'total_sequence_length']),
        ...each('past_key_values', past),
      ],
      output: [
        valueInfo('logits', DataType.FLOAT, ['batch_size', 'sequence_length', vocabulary]),
        ...each('present', present),
      ],
    }),
  });
  return writeModel(model);
}

/** The manifest and base of a pool, without its experts. */
export function copyPoolBase(from: string, folder: string): void {
  const manifest = JSON.parse(readFileSync(path.join(from, 'pool.json'), 'utf8')) as Record<string, unknown>;
  delete manifest['multitask'];
  delete manifest['retriever'];
  delete manifest['router'];
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'pool.json'), JSON.stringify({ ...manifest, id: 'made-up' }));
  cpSync(path.join(from, 'base'), path.join(folder, 'base'), { recursive: true });
}
