/** An X-LoRA classifier as PEFT saves it: from the base's last hidden state it scales every adapter at every module. */
import { statSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { poolLimits } from '../checks/limits.js';
import { schemaProblem } from '../checks/schemaWords.js';
import { GanderError } from '../errors/errors.js';
import { bytesInWords } from '../formats/bytes.js';
import type { Adapter } from './adapter.js';
import { type XLoraEntry, readJson } from './manifest.js';
import { fileInside } from './paths.js';
import { Safetensors, SafetensorsError } from './safetensors.js';

const size = z.int().min(1).max(1_000_000);

/** PEFT's XLoraConfig. A field that is not here may change what is computed, so it is refused. */
const configSchema = z.strictObject({
  peft_type: z.literal('XLORA'),
  hidden_size: size,
  adapters: z.record(z.string(), z.string()).nullish(),
  enable_softmax: z.boolean().default(true),
  enable_softmax_topk: z.boolean().default(false),
  layerwise_scalings: z.boolean().default(false),
  xlora_depth: z.int().min(1).max(100).default(1),
  xlora_size: size.default(2048),
  /** Only its presence counts, in the numbers of the layers: nothing is dropped outside training. */
  xlora_dropout_p: z.number().min(0).max(1).default(0.2),
  softmax_temperature: z
    .number()
    .refine((t) => t !== 0, 'a divisor, so it cannot be 0')
    .default(1),
  top_k_lora: z.int().min(1).nullish(),
  scaling_pass_value: z.number().default(0),
  global_scaling_weight: z.number().default(1),
  // These affect neither the classifier nor the adapters.
  use_trainable_adapters: z.boolean().nullish(),
  auto_mapping: z.unknown().optional(),
  base_model_name_or_path: z.unknown().optional(),
  inference_mode: z.unknown().optional(),
  peft_version: z.unknown().optional(),
  revision: z.unknown().optional(),
  task_type: z.unknown().optional(),
});

/** How logits become scalings, in PEFT's words (docs/strategies.md, "X-LoRA"). */
export interface ScalingConfig {
  readonly softmax: boolean;
  readonly temperature: number;
  /** Absent: all adapters are used. */
  readonly topK?: number;
  readonly softmaxOfTopK: boolean;
  /** A factor on all scalings. */
  readonly globalWeight: number;
  /** The scaling of all adapters in the pass that the classifier reads. */
  readonly passValue: number;
}

export interface DenseLayer {
  readonly dIn: number;
  readonly dOut: number;
  /** [dOut, dIn] */
  readonly weight: () => Float32Array;
  /** [dOut] */
  readonly bias: () => Float32Array;
}

export interface XLora {
  /** Ids of the experts that the classifier's classes are, in order. */
  readonly experts: readonly string[];
  /** Paths of the modules that it scales, in order. */
  readonly modules: readonly string[];
  /** Whether each module has scalings of its own; if not, all have the same. */
  readonly layerwise: boolean;
  readonly hiddenSize: number;
  /** ReLU is between them. */
  readonly layers: readonly DenseLayer[];
  readonly scaling: ScalingConfig;
  /** Absolute. */
  readonly files: readonly string[];
}

/**
 * @param folder of the pool
 * @param adapters of the pool's experts, by id
 * @throws GanderError `pool-invalid`, `pool-unsafe-path`
 */
export function readXLora(
  folder: string,
  { classifier, experts, modules }: XLoraEntry,
  adapters: ReadonlyMap<string, Adapter>,
): XLora {
  const described = path.join(classifier, 'adapter_config.json');
  const parsed = configSchema.safeParse(readJson(folder, described));
  if (!parsed.success) throw invalid(`${described}: ${schemaProblem(parsed.error)}`);
  const config = parsed.data;
  checkAdapters(experts, modules, adapters, Object.keys(config.adapters ?? {}));
  const scaling = scalingOf(config, experts.length, described);
  const columns = experts.length * (config.layerwise_scalings ? modules.length : 1);
  const widths = [config.hidden_size, ...new Array<number>(config.xlora_depth - 1).fill(config.xlora_size), columns];
  return {
    experts,
    modules,
    layerwise: config.layerwise_scalings,
    hiddenSize: config.hidden_size,
    layers: layersOf(folder, classifier, widths, config.xlora_dropout_p > 0),
    scaling,
    files: ['adapter_config.json', 'adapter_model.safetensors'].map((name) =>
      fileInside(folder, path.join(classifier, name)),
    ),
  };
}

function scalingOf(config: z.infer<typeof configSchema>, classes: number, file: string): ScalingConfig {
  const { top_k_lora: topK, scaling_pass_value: passValue } = config;
  if (topK && topK > classes) throw invalid(`${file}: "top_k_lora" is ${topK}, more than its ${classes} adapters`);
  if (topK && topK < classes && passValue !== 0)
    throw invalid(
      `${file}: with "top_k_lora", "scaling_pass_value" must be 0: which of equal scalings PEFT keeps is chance`,
    );
  return {
    softmax: config.enable_softmax,
    temperature: config.softmax_temperature,
    ...(topK && { topK }),
    softmaxOfTopK: config.enable_softmax_topk,
    globalWeight: config.global_scaling_weight,
    passValue,
  };
}

/** The classifier's axes must be exactly the pool's adapters and the modules that they adapt. */
function checkAdapters(
  experts: readonly string[],
  modules: readonly string[],
  adapters: ReadonlyMap<string, Adapter>,
  configured: readonly string[],
): void {
  for (const [what, names] of Object.entries({ experts, modules }))
    if (new Set(names).size < names.length) throw invalid(`pool.json: "xlora.${what}" names one twice`);
  if (configured.length > 0 && configured.length !== experts.length)
    throw invalid(
      `it was trained with ${configured.length} adapters, and "xlora.experts" in pool.json names ${experts.length}`,
    );
  const adapted = new Set<string>();
  for (const id of experts) {
    const adapter = adapters.get(id);
    if (!adapter) throw invalid(`its adapter "${id}" is missing, or cannot be used`);
    for (const module of adapter.modules.keys()) adapted.add(module);
  }
  const listed = new Set(modules);
  const stray = [
    ...modules.filter((module) => !adapted.has(module)),
    ...[...adapted].filter((one) => !listed.has(one)),
  ];
  if (stray.length > 0)
    throw invalid(
      `"xlora.modules" in pool.json must list the modules that its adapters adapt, in PEFT's order; ${stray[0]!.slice(0, 120)} is in only one of both`,
    );
}

function layersOf(folder: string, classifier: string, widths: readonly number[], drops: boolean): DenseLayer[] {
  const weights = path.join(classifier, 'adapter_model.safetensors');
  const file = fileInside(folder, weights);
  const bytes = statSync(file).size;
  if (bytes > poolLimits.classifier)
    throw invalid(`${weights}: it has ${bytesInWords(bytes)}; at most ${bytesInWords(poolLimits.classifier)} are read`);
  return told(weights, () => {
    const tensors = Safetensors.open(file);
    const left = new Set(tensors.header.tensors.keys());
    const read = (name: string, wanted: readonly number[]) => {
      const shape = tensors.header.tensors.get(name)?.shape;
      if (!shape) throw missing(name, weights);
      if (shape.join() !== wanted.join())
        throw new SafetensorsError(`"${name}" is [${shape.join(', ')}], not [${wanted.join(', ')}]`);
      left.delete(name);
      return () => told(weights, () => tensors.floats(name));
    };
    const layers = widths.slice(1).map((dOut, i): DenseLayer => {
      // Each layer is followed by ReLU, and in training by dropout, which have numbers, too.
      const name = `base_model.internal_xlora_classifier.layers.${i * (drops ? 3 : 2)}`;
      const dIn = widths[i]!;
      return { dIn, dOut, weight: read(`${name}.weight`, [dOut, dIn]), bias: read(`${name}.bias`, [dOut]) };
    });
    const [unknown] = left;
    if (unknown !== undefined) throw new SafetensorsError(`"${unknown.slice(0, 120)}" is no part of such a classifier`);
    // Later, a number that is not finite would be an error of the whole pool, also where gates could route it.
    for (const { weight, bias } of layers) for (const numbers of [weight, bias]) numbers();
    return layers;
  });
}

/** PEFT drops every tensor with an adapter's name between dots, and X-LoRA's adapters are named 0, 1, …, as layers are. */
function missing(name: string, file: string): GanderError {
  return new GanderError(
    'pool-invalid',
    `${file}: the X-LoRA classifier has no "${name}"; save_pretrained of PEFT 0.21 leaves it out.`,
    'Save it from the model in memory: safetensors.torch.save_file of those entries of model.state_dict() that have internal_xlora_classifier in their names.',
  );
}

function told<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SafetensorsError)) throw error;
    throw invalid(`${file}: ${error.message}`);
  }
}

function invalid(message: string): GanderError {
  return new GanderError(
    'pool-invalid',
    `The X-LoRA classifier cannot be used: ${message}.`,
    'Import it again with gander-training import-xlora, train it again with gander-training xlora, or remove "xlora" from pool.json.',
  );
}
