/** What models' config.json files say, under each model's own names. */
import { expect, test } from 'vitest';
import { readModel } from '../../../src/import/model.js';

const read = (config: object) => readModel(new TextEncoder().encode(JSON.stringify(config)));

test.each([
  [
    'mixtral',
    { model_type: 'mixtral', num_local_experts: 8, num_experts_per_tok: 2, num_hidden_layers: 2 },
    [8, 2, [0, 1]],
  ],
  [
    'a Qwen with dense layers',
    {
      model_type: 'qwen2_moe',
      num_experts: 60,
      num_experts_per_tok: 4,
      num_hidden_layers: 6,
      decoder_sparse_step: 2,
      mlp_only_layers: [3],
    },
    [60, 4, [1, 5]],
  ],
  [
    'a DeepSeek, whose first layers are dense',
    {
      model_type: 'deepseek_v3',
      n_routed_experts: 256,
      num_experts_per_tok: 8,
      num_hidden_layers: 5,
      first_k_dense_replace: 3,
      moe_layer_freq: 1,
    },
    [256, 8, [3, 4]],
  ],
  [
    'a model within a larger one',
    {
      model_type: 'pixels',
      text_config: { model_type: 'qwen3_moe', num_experts: 4, num_experts_per_tok: 1, num_hidden_layers: 1 },
    },
    [4, 1, [0]],
  ],
])('%s', (_, config, [experts, k, sparse]) => {
  expect(read(config)).toMatchObject({ experts, k, sparse });
});

test('how logits become weights is known for the models that decide by them', () => {
  const of = (config: object) => read(config).decides;
  expect(of({ model_type: 'mixtral' })).toEqual({ scoring: 'softmax', renormalised: true });
  expect(of({ model_type: 'olmoe', norm_topk_prob: false })).toEqual({ scoring: 'softmax', renormalised: false });
  expect(of({ model_type: 'qwen3_moe', norm_topk_prob: true })).toEqual({ scoring: 'softmax', renormalised: true });
  expect(of({ model_type: 'deepseek_v3' })).toBeUndefined();
  expect(of({ model_type: 'constructor' })).toBeUndefined();
});
