/** What a model's config.json says about its experts, under the names that transformers' configurations use. */
import known from '../../python/gander-trace/src/gander_trace/routers.json' with { type: 'json' };
import { isObject } from '../checks/plain.js';
import type { Router } from '../trace/model/trace.js';
import { unreadable } from './unreadable.js';

export interface Model {
  /** `mixtral`, `olmoe`, … */
  readonly type: string;
  readonly experts?: number;
  readonly k?: number;
  /** Number of layers, including those without experts. */
  readonly layers?: number;
  /** Numbers of the layers with experts. */
  readonly sparse?: readonly number[];
  /** How scores become weights; absent unless the type is known to decide by the scores alone. */
  readonly decides?: { readonly scoring: NonNullable<Router['scoring']>; readonly renormalised: boolean };
}

type Config = Readonly<Record<string, unknown>>;

/**
 * Types of models that choose the k largest logits: whether the weights are a softmax over the chosen experts, which equals
 * one over all experts, renormalised; a string names the configuration's field that says so.
 */
const renormalised: Readonly<Record<string, boolean | string>> = known.renormalised;

/** More layers than any model has; limited, as each becomes an element of a list. */
const mostLayers = 4096;

/** @throws GanderError `import-invalid` */
export function readModel(bytes: Uint8Array): Model {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw unreadable('the model’s config.json is not JSON', 'Name the config.json that is beside the weights.', cause);
  }
  const whole = isObject(json) ? json : {};
  const config = isObject(whole['text_config']) ? { ...whole, ...whole['text_config'] } : whole;
  const type = typeof config['model_type'] === 'string' ? config['model_type'] : 'unknown';
  const count = (what: keyof typeof known.counts) => {
    const value = known.counts[what]
      .map((name) => config[name])
      .find((one) => Number.isInteger(one) && (one as number) > 0);
    return value === undefined ? {} : { [what]: value as number };
  };
  const { layers } = count('layers') as { layers?: number };
  const said = Object.hasOwn(renormalised, type) ? renormalised[type] : undefined;
  const decides = typeof said === 'string' ? config[said] === true : said;
  return {
    type,
    ...count('experts'),
    ...count('k'),
    ...count('layers'),
    ...(layers !== undefined && layers <= mostLayers && { sparse: sparseLayers(config, layers) }),
    ...(decides !== undefined && { decides: { scoring: 'softmax' as const, renormalised: decides } }),
  };
}

/** By Qwen's `mlp_only_layers` and `decoder_sparse_step`, DeepSeek's `first_k_dense_replace` and `moe_layer_freq`; else all layers. */
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
