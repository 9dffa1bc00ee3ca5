/** Every program's file gives the same run. */
import { existsSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readers } from '../../../src/import/index.js';
import { firstBytes } from '../../../src/import/reader.js';
import { encodeSafetensors } from '../../../src/formats/safetensors.js';
import { absentParts } from '../../../src/trace/figures/summary.js';
import { decodeTrace, encodeTrace } from '../../../src/trace/file/file.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { expected, fixture, model, nested, read, textFixture } from './fixtures.js';

const written = new URL('../../fixtures/imports/typescript.gander.safetensors', import.meta.url);

/** As precisely as the files write them. */
function expectWeights(trace: Trace): void {
  const apart = nested(trace, 'weight').flat(2);
  expected.weights.flat(2).forEach((weight, i) => expect(apart[i]).toBeCloseTo(weight, 5));
}

const files = [
  'moe_topk.jsonl',
  'ranks.csv',
  'pairs.csv',
  'onnxruntime.log',
  'vllm.npy',
  'sglang.npy',
  'router_logits.npy',
  'router_logits.safetensors',
];

describe('files of other programs', () => {
  it.each(files)('%s belongs to one reader', (name) => {
    const first = fixture(name).subarray(0, firstBytes);
    expect(readers.filter((reader) => reader.claims(first))).toHaveLength(1);
  });

  it.each(['text.txt', 'config.json', 'README.md', 'python.gander.safetensors'])('%s belongs to no program', (name) => {
    expect(readers.filter((reader) => reader.claims(fixture(name)))).toEqual([]);
  });

  it.each(files.filter((name) => name !== 'pairs.csv'))('%s holds what each token chose', async (name) => {
    const { trace } = await read(fixture(name), name.startsWith('router_logits') ? { model } : {});
    expect(nested(trace, 'chosen')).toEqual(expected.chosen);
    expect(trace.router.k).toBe(2);
    expect(trace.expertSets.map(({ scope }) => scope)).toEqual(['layer', 'layer']);
    expect(decodeTrace(encodeTrace(trace))).toStrictEqual(trace);
  });

  it.each(['moe_topk.jsonl', 'onnxruntime.log'])('%s has the weights', async (name) => {
    const { trace } = await read(fixture(name));
    expectWeights(trace);
  });

  it.each(['router_logits.npy', 'router_logits.safetensors'])('%s gives the weights of a known model', async (name) => {
    const { trace, warnings } = await read(fixture(name), { model });
    expectWeights(trace);
    expect(trace.router).toEqual({ name: 'mixtral', k: 2, scoring: 'softmax' });
    expect(trace.blocks[0]!.score).toHaveLength(2 * expected.ids.length * 8);
    expect(warnings).toEqual([]);
  });

  it('logits with only k give choices, but no weights', async () => {
    const { trace, warnings } = await read(fixture('router_logits.npy'), { k: 2 });
    expect(nested(trace, 'chosen')).toEqual(expected.chosen);
    expect(trace.blocks[0]!.weight).toBeUndefined();
    expect(trace.router).toEqual({ name: 'unknown', k: 2 });
    expect(warnings.map(({ text }) => text).join()).toContain(
      'Gander assumes that the experts with the largest logits were chosen',
    );
  });

  it('probabilities and weights in place of logits are recognised', async () => {
    const rows = (numbers: readonly number[]) =>
      encodeSafetensors([{ name: 'router_logits.0', dtype: 'F32', shape: [2, 4], data: Float32Array.from(numbers) }]);
    const probabilities = await read(rows([0.1, 0.4, 0.3, 0.2, 0.25, 0.25, 0.25, 0.25]), {
      model: { ...model, experts: 4 },
    });
    expect(nested(probabilities.trace, 'chosen')).toEqual([
      [
        [1, 2],
        [0, 1],
      ],
    ]);
    expect(nested(probabilities.trace, 'weight')[0]![0]![0]).toBeCloseTo(4 / 7);
    expect(probabilities.trace.blocks[0]!.score![1]).toBeCloseTo(Math.log(0.4));
    // As transformers 4.57 gives them for gpt-oss.
    const weights = await read(rows([0, 0.25, 0.75, 0, 1, 0, 0, 0]), { k: 2 });
    expect(nested(weights.trace, 'chosen')).toEqual([
      [
        [2, 1],
        [0, -1],
      ],
    ]);
    expect(nested(weights.trace, 'weight')).toEqual([
      [
        [0.75, 0.25],
        [1, 0],
      ],
    ]);
    expect(weights.trace.blocks[0]!.score).toBeUndefined();
  });

  it('tokens are what the file says about them', async () => {
    const { ids, spelled } = expected;
    const jsonl = (await read(fixture('moe_topk.jsonl'))).trace;
    expect(jsonl.sequences[0]!.tokens).toEqual({ count: ids.length, ids: Int32Array.from(ids), text: spelled });
    expect(jsonl.source.name).toBe('tiny-mixtral');
    const safetensors = (await read(fixture('router_logits.safetensors'), { model })).trace;
    expect(safetensors.sequences[0]!.tokens).toEqual({ count: ids.length, ids: Int32Array.from(ids) });
    const npy = (await read(fixture('vllm.npy'))).trace;
    expect(npy.sequences[0]!.tokens).toEqual({ count: ids.length });
    expect(absentParts(npy, { sequence: 0 })).toEqual(expect.arrayContaining(['weights', 'router logits']));
  });

  it('pairs of layer and expert: k follows from the order, and what the last layer did not run is missing', async () => {
    const { trace, warnings } = await read(fixture('pairs.csv'));
    const [first, last] = nested(trace, 'chosen');
    expect(first).toEqual(expected.chosen[0]);
    const prompt = expected.prompt - 1;
    expect(last!.slice(prompt)).toEqual(expected.chosen[1]!.slice(prompt));
    expect(
      last!
        .slice(0, prompt)
        .flat()
        .every((e) => e === -1),
    ).toBe(true);
    expect(warnings.map(({ text }) => text).join()).toContain('by the order of its lines it was 2');
  });

  it('CSV needs no header, but may have one, or a byte order mark', async () => {
    const bare = textFixture('ranks.csv').replace(/^.*\n/, '');
    expect(nested((await read(bare)).trace, 'chosen')).toEqual(expected.chosen);
    const marked = `\ufeff${textFixture('ranks.csv').replaceAll('\n', '\r\n')}`;
    expect(nested((await read(marked)).trace, 'chosen')).toEqual(expected.chosen);
    const named = `layer,expert\n${textFixture('pairs.csv')}`;
    expect(nested((await read(named)).trace, 'chosen')[0]).toEqual(expected.chosen[0]);
  });

  it('layers without experts are left out, by their content or by the configuration', async () => {
    const { trace, warnings } = await read(fixture('sglang.npy'));
    expect(trace.modules.map(({ layer }) => layer)).toEqual([1, 2]);
    expect(warnings.map(({ text }) => text)).toContain('1 of its 3 layers have no choices and are left out.');
    const sparse = { type: 'deepseek_v2', layers: 3, sparse: [1, 2], experts: 8 };
    expect((await read(fixture('sglang.npy'), { model: sparse })).trace.modules.map(({ layer }) => layer)).toEqual([
      1, 2,
    ]);
    // vLLM has rows only for the layers with experts.
    expect((await read(fixture('vllm.npy'), { model: sparse })).trace.modules.map(({ layer }) => layer)).toEqual([
      1, 2,
    ]);
  });

  it('the number of experts is the one that is given, or else as many as were seen', async () => {
    const jsonl = await read(fixture('moe_topk.jsonl'));
    expect(jsonl.trace.blocks[0]!.experts).toBe(8);
    expect(jsonl.warnings.map(({ text }) => text).join()).not.toContain('as were seen');
    const csv = await read(fixture('ranks.csv'));
    expect(csv.warnings.map(({ text }) => text).join()).toContain('8 is as many as were seen');
    const said = await read(fixture('ranks.csv'), { model: { type: 'mixtral', experts: 64 } });
    expect(said.trace.expertSets[1]!.experts).toHaveLength(64);
  });

  it('of several texts one is read, and a warning mentions the others', async () => {
    const second = await read(fixture('onnxruntime.log'), { part: 2 });
    expect(second.trace.sequences[0]!.done).toBe(3);
    expect(second.warnings.map(({ text }) => text)).toContain('It has 2 texts; this is number 2.');
    const twice = textFixture('ranks.csv') + textFixture('ranks.csv').replace(/^.*\n/, '');
    expect(nested((await read(twice, { part: 2 })).trace, 'chosen')).toEqual(expected.chosen);
    const jsonl = textFixture('moe_topk.jsonl');
    const both = await read(jsonl + jsonl.replaceAll('tiny-001', 'tiny-002'), { part: 2 });
    expect(nested(both.trace, 'chosen')).toEqual(expected.chosen);
  });

  it('records of onnxruntime may come without a log, one per line', async () => {
    const alone = textFixture('onnxruntime.log')
      .split('\n')
      .flatMap((line) => /moe_routing (\{.*"request_id":"1-.*)/.exec(line)?.[1] ?? [])
      .join('\n');
    expect(nested((await read(alone)).trace, 'chosen')).toEqual(expected.chosen);
  });
});

describe('traces that cross between Python and TypeScript', () => {
  it('a trace that gander-trace wrote is read here', () => {
    const trace = decodeTrace(fixture('python.gander.safetensors'));
    expect(nested(trace, 'chosen')).toEqual(expected.chosen);
    expectWeights(trace);
    expect(trace.router).toEqual({ name: 'mixtral', k: 2, scoring: 'softmax' });
    expect(trace.source).toEqual({ kind: 'transformers', name: 'tiny-mixtral', versions: { 'gander-trace': '0.1.0' } });
    expect(trace.sequences[0]!.tokens).toEqual({
      count: expected.ids.length,
      ids: Int32Array.from(expected.ids),
      text: expected.spelled,
    });
  });

  it('it equals what is imported from the logits that it was made from', async () => {
    const python = decodeTrace(fixture('python.gander.safetensors'));
    const { trace } = await read(fixture('router_logits.npy'), { model });
    expect(trace.blocks).toEqual(python.blocks);
    expect(trace.modules).toEqual(python.modules);
    expect(trace.expertSets).toEqual(python.expertSets);
  });

  it('a trace that is written here is the one that gander-trace’s tests read', async () => {
    const { trace } = await read(fixture('moe_topk.jsonl'));
    const bytes = encodeTrace({
      ...trace,
      source: { ...trace.source, versions: { gander: '0.1.0' } },
      created: '1970-01-01T00:00:00Z',
    });
    if (process.env['UPDATE_FIXTURES'] ?? !existsSync(written)) writeFileSync(fileURLToPath(written), bytes);
    expect(fixture('typescript.gander.safetensors')).toEqual(Buffer.from(bytes));
  });
});
