/** Files that are wrong, end early or ask for too much: soon, one error that says why. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readModel } from '../../../src/import/model.js';
import { GanderError } from '../../../src/errors/errors.js';
import { encodeSafetensors } from '../../../src/formats/safetensors.js';
import { encodeTrace } from '../../../src/trace/file/file.js';
import { fixture, model, read, refusal, textFixture } from './fixtures.js';

function npy(descr: string, shape: string, data: Uint8Array): Uint8Array {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }\n`;
  const bytes = new Uint8Array(10 + header.length + data.length);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8]);
  bytes.set(new TextEncoder().encode(header), 10);
  bytes.set(data, 10 + header.length);
  return bytes;
}

const int32 = (...numbers: number[]) => new Uint8Array(Int32Array.from(numbers).buffer);
const float32 = (...numbers: number[]) => new Uint8Array(Float32Array.from(numbers).buffer);
const event = (change: object) =>
  JSON.stringify({ event: 'moe_topk', phase: 'prefill', token_index: 0, layer: 0, experts: [1, 2], ...change });
const record = (change: object) =>
  `moe_routing ${JSON.stringify({ node_name: '/model/layers.0/moe', expert_ids: [1, 2], num_rows: 1, top_k: 2, ...change })}`;

describe('a file that cannot be imported', () => {
  it.each<[string, Uint8Array | string, string]>([
    ['nothing', '', 'does not begin like'],
    ['something else', 'Dear goose,', 'does not begin like'],
    ['a header alone', 'phase,token,layer,rank,expert\n', 'has no choices'],
    ['a row that is cut off', 'prefill,0,0,0,4\nprefill,0,0,1', 'line 2 is "prefill,0,0,1"'],
    ['a negative expert', 'prefill,0,0,0,-7\n', 'names an expert -7'],
    ['an expert with a huge number', 'prefill,0,0,0,999999999\n', 'more than 1024 experts'],
    ['a token with a huge number', 'prefill,999999999,0,0,1\n', 'more than 32768 tokens'],
    [
      'few lines that span much',
      Array.from({ length: 4096 }, (_, layer) => `prefill,32767,${layer},7,1\n`).join(''),
      'more than can be shown',
    ],
    [
      'too many layers',
      Array.from({ length: 5000 }, (_, layer) => `prefill,0,${layer},0,1\n`).join(''),
      'more than 4096 layers',
    ],
    ['a choice given twice', 'prefill,0,0,0,1\nprefill,0,0,0,2\n', 'gives the choices of token 0 in layer 0 twice'],
    ['an expert chosen twice', 'prefill,0,0,0,1\nprefill,0,0,1,1\n', 'chose expert 1 twice'],
    ['a second choice alone', 'prefill,0,0,1,1\n', 'no first'],
    ['pairs without k', '0,1\n0,2\n0,1\n0,2\n', 'does not show how many experts'],
    [
      'pairs of one layer, each of another expert',
      Array.from({ length: 1_000_000 }, (_, expert) => `0,${expert}\n`).join(''),
      'more than 1024 experts',
    ],
    ['a million unknown experts in one layer', '0,-1\n'.repeat(1_000_000), 'more than 1024 experts'],
    ['a pair that is cut off', '0,1\n0,2\n1,3\n1,', 'line 4 is "1,"'],
    ['an event that is cut off', `${event({})}\n{"event":"moe_topk","phase":"pre`, 'may be cut off'],
    ['an event with a negative token', event({ token_index: -1 }), 'not a moe_topk event'],
    ['an event with half an expert', event({ experts: [1.5] }), 'not a moe_topk event'],
    ['an event with too few weights', event({ weights: [0.5] }), 'not a moe_topk event'],
    ['an event with a million experts', event({ n_expert: 1e6 }), 'at most 1024 experts'],
    ['an event with fewer experts than it names', event({ n_expert: 2 }), 'names expert 2 of 2'],
    ['a record that is cut off', `${record({})}\nmoe_routing {"node_name":"/mo`, 'may be cut off'],
    ['a record with too few rows', record({ num_rows: 2 }), 'not a record'],
    ['a record with a billion rows', record({ num_rows: 1e9 }), 'not a record'],
    [
      'a log of which records were dropped',
      `${record({})}\nmoe_routing_truncated {"dropped_records":1}`,
      'dropped records',
    ],
    ['an array that is cut off', fixture('sglang.npy').subarray(0, 300), 'does not fill'],
    ['a huge shape', npy('<i4', '(2147483647, 2147483647, 8)', int32(1)), 'does not fill'],
    ['an empty shape', npy('<i4', '(0, 99999999, 8)', int32()), 'not (tokens, layers, k)'],
    ['a flat array', npy('<i4', '(4,)', int32(1, 2, 3, 4)), 'not (tokens, layers, k)'],
    ['an array with a negative expert', npy('<i4', '(1, 1, 2)', int32(1, -9)), 'names an expert -9'],
    ['an array with a huge expert', npy('<i4', '(1, 1, 2)', int32(1, 5000)), 'names an expert 5000'],
    ['an array of one number', npy('<i4', '(1, 1, 2)', int32(3, 3)), 'has no choices'],
    ['an array of words', npy('<U8', '(2,)', new Uint8Array(64)), 'does not begin like'],
  ])('%s', async (_, bytes, why) => {
    expect(await refusal(read(bytes))).toContain(why);
  });

  it('names a line by its number, however far down', async () => {
    const ranks = Array.from({ length: 200_000 }, (_, i) => `prefill,${i % 4000},${Math.floor(i / 4000)},0,1\n`);
    expect(await refusal(read(`${ranks.join('')}\n\nhonk\n`))).toContain('line 200003 is "honk"');
  });

  it('refuses logits that are not numbers, and those of a model that does not decide by them', async () => {
    const one = (...numbers: number[]) => npy('<f4', '(1, 1, 2)', float32(...numbers));
    expect(await refusal(read(one(NaN, 1), { k: 1 }))).toContain('are not numbers');
    expect(await refusal(read(one(1, Infinity), { k: 1 }))).toContain('are not numbers');
    expect(await refusal(read(one(1, 2)))).toContain('--k');
    expect(await refusal(read(one(1, 2), { k: 3 }))).toContain('3 of 2 experts');
    const deepseek = readModel(new TextEncoder().encode('{"model_type":"deepseek_v3","num_experts_per_tok":1}'));
    expect(await refusal(read(one(1, 2), { model: deepseek }))).toContain('gander-trace');
    expect(await refusal(read(fixture('router_logits.npy'), { model: { ...model, experts: 16 } }))).toContain(
      'the model has 16',
    );
  });

  it('refuses safetensors whose tensors are not the logits of one text', async () => {
    const logits = (name: string, shape: number[], length: number) => ({
      name,
      dtype: 'F32' as const,
      shape,
      data: new Float32Array(length),
    });
    const two = [logits('router_logits.0', [2, 4], 8), logits('router_logits.1', [3, 4], 12)];
    expect(await refusal(read(encodeSafetensors(two), { k: 1 }))).toContain('different shapes');
    const batch = [logits('router_logits.0', [2, 3, 4], 24), logits('router_logits.1', [2, 3, 4], 24)];
    expect(await refusal(read(encodeSafetensors(batch), { k: 1 }))).toContain('of one text');
    const ids = { name: 'input_ids', dtype: 'I64' as const, shape: [9], data: new BigInt64Array(9) };
    expect(await refusal(read(encodeSafetensors([two[0]!, ids]), { k: 1 }))).toContain('input_ids');
  });

  it('refuses the number of a text that the file does not have', async () => {
    expect(await refusal(read(textFixture('ranks.csv'), { part: 2 }))).toContain('nothing of number 2');
    expect(await refusal(read(textFixture('onnxruntime.log'), { part: 3 }))).toContain('nothing of number 3');
  });

  it('refuses a config.json that is not JSON', () => {
    expect(() => readModel(new TextEncoder().encode('{'))).toThrow(GanderError);
    // The fields that are read may have any value.
    const odd = { model_type: 7, num_hidden_layers: 1e9, num_experts: 'many', mlp_only_layers: 'all' };
    expect(readModel(new TextEncoder().encode(JSON.stringify(odd)))).toEqual({ type: 'unknown', layers: 1e9 });
  });

  it('reads or refuses a file, whatever is damaged in it', async () => {
    const names = [
      'moe_topk.jsonl',
      'ranks.csv',
      'pairs.csv',
      'onnxruntime.log',
      'vllm.npy',
      'router_logits.safetensors',
    ];
    const spoilt = fc.record({
      name: fc.constantFrom(...names),
      at: fc.nat(),
      byte: fc.integer({ min: 0, max: 255 }),
      cut: fc.option(fc.nat()),
    });
    await fc.assert(
      fc.asyncProperty(spoilt, async ({ name, at, byte, cut }) => {
        const bytes = Uint8Array.from(fixture(name));
        bytes[at % bytes.length] = byte;
        const left = cut === null ? bytes : bytes.subarray(0, cut % bytes.length);
        try {
          encodeTrace((await read(left, { k: 2 })).trace);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(GanderError);
          expect((thrown as GanderError).code).toBe('import-invalid');
        }
      }),
      { numRuns: 400 },
    );
  });
});
