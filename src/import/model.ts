/** What a model's config.json says of its experts, under the names that transformers' configurations use. */
import { isObject } from '../shared/plain.js';
import type { Router } from '../trace/trace.js';
import { unreadable } from './reader.js';

export interface Model {
  /** `mixtral`, `olmoe`, … */
  readonly type: string;
  readonly experts?: number;
  readonly k?: number;
  /** Number of layers, those without experts included. */
  readonly layers?: number;
  /** Numbers of the layers with experts. */
  readonly sparse?: readonly number[];
  /** How scores become weights; absent where the type is not known to decide by the scores alone. */
  readonly decides?: { readonly scoring: NonNullable<Router['scoring']>; readonly renormalised: boolean };
}

type Config = Readonly<Record<string, unknown>>;

/** Models that choose the k largest logits: what the weights are (softmax over all, or over the chosen, which is the same renormalised). */
const renormalised: Readonly<Record<string, (config: Config) => boolean>> = {
  mixtral: () => true,
  gpt_oss: () => true,
  granitemoe: () => true,
  olmoe: (config) => config['norm_topk_prob'] === true,
  qwen2_moe: (config) => config['norm_topk_prob'] === true,
  qwen3_moe: (config) => config['norm_topk_prob'] === true,
};

const countsOf = {
  experts: ['num_local_experts', 'num_experts', 'n_routed_experts', 'moe_num_experts'],
  k: ['num_experts_per_tok', 'num_experts_per_token', 'experts_per_token', 'moe_topk', 'moe_k'],
  layers: ['num_hidden_layers', 'n_layer'],
} as const;

/** More layers than any model has: the list of them is made. */
const mostLayers = 4096;

/** @throws GanderError `import-invalid` */
export function readModel(bytes: Uint8Array): Model {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw unreadable(
      'the model’s config.json is not JSON',
      'Name the config.json that lies beside the weights.',
      cause,
    );
  }
  const whole = isObject(json) ? json : {};
  const config = isObject(whole['text_config']) ? { ...whole, ...whole['text_config'] } : whole;
  const type = typeof config['model_type'] === 'string' ? config['model_type'] : 'unknown';
  const count = (what: keyof typeof countsOf) => {
    const value = countsOf[what]
      .map((name) => config[name])
      .find((one) => Number.isInteger(one) && (one as number) > 0);
    return value === undefined ? {} : { [what]: value as number };
  };
  const { layers } = count('layers') as { layers?: number };
  const decides = Object.hasOwn(renormalised, type) ? renormalised[type]!(config) : undefined;
  return {
    type,
    ...count('experts'),
    ...count('k'),
    ...count('layers'),
    ...(layers !== undefined && layers <= mostLayers && { sparse: sparseLayers(config, layers) }),
    ...(decides !== undefined && { decides: { scoring: 'softmax' as const, renormalised: decides } }),
  };
}

/** Qwen's `mlp_only_layers` and `decoder_sparse_step`, DeepSeek's `first_k_dense_replace` and `moe_layer_freq`; all layers where nothing is said. */
function sparseLayers(config: Config, layers: number): number[] {
  const dense = Array.isArray(config['mlp_only_layers']) ? config['mlp_only_layers'] : [];
  const step = numberOf(config['decoder_sparse_step'], 1);
  const first = numberOf(config['first_k_dense_replace'], 0);
  const every = numberOf(config['moe_layer_freq'], 1);
  return Array.from({ length: layers }, (_, layer) => layer).filter(
    (layer) => layer >= first && layer % every === 0 && (layer + 1) % step === 0 && !dense.includes(layer),
  );
}

function numberOf(value: unknown, otherwise: number): number {
  return Number.isInteger(value) && (value as number) > 0 ? (value as number) : otherwise;
}
