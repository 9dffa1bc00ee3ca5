import { describe, expect, it } from 'vitest';
import { DataType, node, valueInfo } from '../../../src/graph/model.js';
import { growPast, pastPairs, settlePast } from '../../../src/graph/past.js';
import { graphOf } from './moe/graphs.js';

describe('inputs and outputs of the past', () => {
  const tokens = ['input_ids', 'attention_mask', 'position_ids'];

  it.each<[string, readonly string[], readonly string[]]>([
    ['optimum', ['past_key_values.0.key', 'past_key_values.10.key'], ['present.10.key', 'present.0.key']],
    [
      "transformers' exporter",
      ['past_key_values.layers.1.keys', 'past_key_values.layers.1.values', 'past_key_values.layers.11.keys'],
      ['cache.layers.11.keys', 'cache.layers.1.values', 'cache.layers.1.keys'],
    ],
    [
      'onnxruntime-genai, states of convolutions too',
      ['past_key_values.1.key', 'past.1.conv'],
      ['present.1.conv', 'present.1.key'],
    ],
    ['older ones', ['past_0', 'past_1'], ['present_0', 'present_1']],
  ])('are paired by the ends of their names: %s', (_, inputs, outputs) => {
    const pairs = pastPairs([...tokens, ...inputs], ['logits', ...outputs]);
    const tail = (name: string) =>
      name
        .split(/[._]/)
        .filter((word) => /^(\d+|keys?|values?|conv)$/.test(word))
        .slice(-2);
    expect([...pairs.keys()].sort()).toEqual([...inputs].sort());
    for (const [before, next] of pairs) expect(tail(next)).toEqual(tail(before));
  });

  it('do not include what only one side has, nor Gander’s own', () => {
    const pairs = pastPairs(
      [...tokens, 'gander.router.0', 'past.0.key'],
      ['logits', 'gander.moe.weight.0', 'present.0.key'],
    );
    expect([...pairs]).toEqual([['past.0.key', 'present.0.key']]);
    expect(pastPairs(tokens, ['logits', 'present.0.key']).size).toBe(0);
  });

  it('have the same sizes: one fills in what the other leaves open', () => {
    const graph = graphOf([node('Identity', ['past.0.key'], ['present.0.key'])], {
      inputs: [valueInfo('past.0.key', DataType.FLOAT, ['batch', '2', 'before', 'width'])],
      outputs: [valueInfo('present.0.key', DataType.FLOAT, ['batch', 'heads', 'after', 16])],
    });
    settlePast(graph);
    const type = graph.input[0]!.type!.value;
    const dims = type.case === 'tensorType' ? type.value.shape!.dim.map(({ value }) => value.value) : [];
    expect(dims).toEqual(['batch', 2n, 'before', 16n]);
  });
});

it('keys and values with a window grow like the others', () => {
  const attention = node('GroupQueryAttention', ['q'], ['y'], { sliding_window_cache: 1, local_window_size: 16 });
  growPast(graphOf([attention]));
  expect(attention.attribute.map(({ name }) => name)).toEqual(['local_window_size']);
});
