import { z } from 'zod';
import { GanderError } from '../errors/errors.js';
import { schemaProblem } from '../checks/schemaWords.js';
import { readJson } from './manifest.js';

/** The fields that an adapter's scale is computed from. */
const configSchema = z.object({
  peft_type: z.literal('LORA'),
  r: z.int().positive(),
  lora_alpha: z.number(),
  use_rslora: z.boolean().nullish(),
  alpha_pattern: z.record(z.string(), z.number()).nullish(),
  rank_pattern: z.record(z.string(), z.int().positive()).nullish(),
});

export type AdapterConfig = z.infer<typeof configSchema>;

export const plainRemedy = 'Ask the contributor for a plain LoRA adapter, or remove the folder.';

const convertible =
  'Convert it to plain LoRA with PEFT: save_pretrained with path_initial_model_for_weight_conversion, the folder of the adapter as it was before training.';
const retrain = 'Train it with init_lora_weights true, or remove the folder.';

/**
 * Values of `init_lora_weights`, by prefix, that change the base's weights before training: the adapter is the difference to
 * that other base (peft.tuners.lora.layer). "gaussian", "eva", "orthogonal" and "mica" only set the initial A and B.
 */
const otherBases: readonly (readonly [beginning: string, name: string, remedy: string])[] = [
  ['pissa', 'PiSSA', convertible],
  ['olora', 'OLoRA', convertible],
  ['corda', 'CorDA', convertible],
  ['lora_ga', 'LoRA-GA', convertible],
  ['loftq', 'LoftQ', retrain],
];
const harmlessInits = ['gaussian', 'eva', 'orthogonal', 'mica', 'true', 'false'];

/** Fields of PEFT's LoraConfig that, if set, make an adapter compute something other than W u + s B A u. */
const beyondLora: Readonly<Record<string, string>> = {
  use_dora: 'DoRA scales the sum of base and adapter by a learned magnitude',
  lora_bias: 'its B has a bias',
  bias: 'it contains trained biases of the base',
  modules_to_save: 'it contains whole modules that were trained too',
  trainable_token_indices: 'it contains embeddings of tokens that were trained too',
  target_parameters: "it adapts parameters instead of linear layers, most likely a MoE's experts",
  layer_replication: 'it is made for a base whose layers are repeated',
  alora_invocation_tokens: 'aLoRA is active only after certain tokens',
  use_qalora: 'QA-LoRA takes the mean over groups of its input',
  use_bdlora: 'its matrices are block-diagonal',
  arrow_config: 'it is itself routed by Arrow',
  kasa_config: 'KaSA removes singular values from the base and has a diagonal between A and B',
};

/** Fields that say how an adapter was trained and do not affect what it computes. */
const onlyTraining = new Set([
  'eva_config',
  'corda_config',
  'lora_ga_config',
  'loftq_config',
  'velora_config',
  'monteclora_config',
  'megatron_config',
  'runtime_config',
]);

/**
 * Reads `adapter_config.json` and checks that it describes plain LoRA: with anything more, Gander would run a different model
 * from the contributor's.
 *
 * @throws GanderError `expert-invalid`, `pool-invalid`, `pool-unsafe-path`
 */
export function readAdapterConfig(folder: string): AdapterConfig {
  const json = readJson(folder, 'adapter_config.json');
  const parsed = configSchema.safeParse(json);
  if (!parsed.success) {
    const kind = (json as { peft_type?: unknown } | null)?.peft_type;
    throw typeof kind === 'string' && kind !== 'LORA'
      ? refused(`it is a ${kind.slice(0, 40)} adapter, not LoRA`)
      : refused(schemaProblem(parsed.error));
  }
  for (const [field, value] of Object.entries(json as Record<string, unknown>)) {
    if (field === 'init_lora_weights') checkInit(value);
    else if (!isUnset(field, value)) {
      const why = beyondLora[field];
      if (why !== undefined) throw refused(`"${field}" is set: ${why}`);
      // A newer PEFT will probably name its variants in the same way.
      const isVariant = /^use_|_config$/.test(field) && !onlyTraining.has(field) && !(field in configSchema.shape);
      if (isVariant) throw refused(`"${field.slice(0, 80)}" is set, which this version of Gander does not know`);
    }
  }
  return parsed.data;
}

function isUnset(field: string, value: unknown): boolean {
  if (field === 'bias') return value === 'none' || value === null;
  return value === null || value === false || (typeof value === 'object' && Object.keys(value).length === 0);
}

function checkInit(value: unknown): void {
  const init = String(value).toLowerCase();
  if (value === null || harmlessInits.includes(init)) return;
  const other = otherBases.find(([beginning]) => init.startsWith(beginning));
  if (!other)
    throw refused(`"init_lora_weights" is "${init.slice(0, 40)}", which this version of Gander does not know`, retrain);
  const [, name, remedy] = other;
  throw refused(
    `"init_lora_weights" is "${init.slice(0, 40)}": ${name} changes the base's weights, and the adapter fits only that other base`,
    remedy,
  );
}

function refused(message: string, remedy = plainRemedy): GanderError {
  return new GanderError('expert-invalid', `adapter_config.json: ${message}`, remedy);
}
