import { statSync } from 'node:fs';
import { z } from 'zod';
import { bytesInWords } from '../shared/bytes.js';
import { GanderError } from '../shared/errors.js';
import { poolLimits } from '../shared/limits.js';
import { readJson } from './manifest.js';
import { fileInside } from './paths.js';
import { readPatterns } from './patterns.js';
import { Safetensors, SafetensorsError } from './safetensors.js';

/** One expert's change of one module: W u + scale · B A u. */
export interface AdaptedModule {
  readonly rank: number;
  readonly dIn: number;
  readonly dOut: number;
  readonly scale: number;
  /** [rank, dIn] */
  readonly a: () => Float32Array;
  /** [dOut, rank] */
  readonly b: () => Float32Array;
}

export interface Adapter {
  /** The largest of its modules' ranks. */
  readonly rank: number;
  /** By Hugging Face path. */
  readonly modules: ReadonlyMap<string, AdaptedModule>;
}

/** What PEFT can do and Gander cannot must be seen, or another model than the contributor's would run. */
const configSchema = z.object({
  peft_type: z.literal('LORA'),
  r: z.int().positive(),
  lora_alpha: z.number(),
  use_rslora: z.boolean().nullish(),
  alpha_pattern: z.record(z.string(), z.number()).nullish(),
  rank_pattern: z.record(z.string(), z.int().positive()).nullish(),
  use_dora: z.literal(false).nullish(),
  lora_bias: z.literal(false).nullish(),
  bias: z.literal('none').nullish(),
  fan_in_fan_out: z.literal(false).nullish(),
  modules_to_save: z.array(z.string()).max(0).nullish(),
  layer_replication: z.null().optional(),
  alora_invocation_tokens: z.null().optional(),
});

const tensorName = /^base_model\.model\.(.+)\.lora_([AB])(?:\.default)?\.weight$/;

/**
 * Reads a PEFT LoRA adapter; tensors stay on disk until asked for. `target_modules` needs no reading: which modules are
 * adapted, and at which rank, is what the tensors say.
 *
 * @param folder of the adapter, inside the pool.
 * @throws GanderError `expert-invalid`, `pool-unsafe-path`
 */
export function readAdapter(folder: string): Adapter {
  const parsed = configSchema.safeParse(readJson(folder, 'adapter_config.json'));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw invalid(`adapter_config.json: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  const config = parsed.data;
  const rankOf = readPatterns('rank_pattern', config.rank_pattern);
  const alphaOf = readPatterns('alpha_pattern', config.alpha_pattern);
  const tensors = openTensors(folder, 'adapter_model.safetensors');
  if (tensors.header.tensors.size > 2 * poolLimits.modules)
    throw invalid(
      `it has ${tensors.header.tensors.size} tensors; an adapter changes at most ${poolLimits.modules} modules`,
    );
  const found = new Map<string, { A?: string; B?: string }>();
  for (const name of tensors.header.tensors.keys()) {
    const match = tensorName.exec(name);
    if (!match) throw invalid(`the tensor "${name.slice(0, 120)}" is not a LoRA matrix of a linear layer`);
    const pair = found.get(match[1]!) ?? {};
    pair[match[2] as 'A' | 'B'] = name;
    found.set(match[1]!, pair);
  }
  const modules = new Map<string, AdaptedModule>();
  for (const [path, { A, B }] of found) {
    if (path.length > poolLimits.modulePath) throw invalid(`a module's path has ${path.length} characters`);
    if (!A || !B) throw invalid(`${path} has only one of its two matrices`);
    const [rank, dIn] = matrix(tensors, A);
    const [dOut, rankB] = matrix(tensors, B);
    if (rank !== rankB) throw invalid(`${path}: A has ${rank} rows, B has ${rankB} columns`);
    if (rank === 0 || rank > poolLimits.rank || dIn === 0 || dOut === 0)
      throw invalid(`${path}: shapes [${rank}, ${dIn}] and [${dOut}, ${rank}] make no adapter`);
    const declared = rankOf(path) ?? config.r;
    if (declared !== rank) throw invalid(`${path}: rank ${rank}, where adapter_config.json says ${declared}`);
    const alpha = alphaOf(path) ?? config.lora_alpha;
    const scale = alpha / (config.use_rslora ? Math.sqrt(rank) : rank);
    modules.set(path, { rank, dIn, dOut, scale, a: () => floats(tensors, A), b: () => floats(tensors, B) });
  }
  if (modules.size === 0) throw invalid('it adapts nothing');
  return { rank: Math.max(...[...modules.values()].map((m) => m.rank)), modules };
}

/** A file of one vector a module (gates, mean inputs), by module path. @throws GanderError */
export function readVectors(folder: string, file: string): Map<string, { length: number; read: () => Float32Array }> {
  const tensors = openTensors(folder, file);
  const vectors = new Map<string, { length: number; read: () => Float32Array }>();
  for (const [name, { shape }] of tensors.header.tensors) {
    if (shape.length !== 1) throw invalid(`${file}: "${name}" is not a vector`);
    vectors.set(name, { length: shape[0]!, read: () => floats(tensors, name) });
  }
  return vectors;
}

/** Training examples' sentence embeddings. */
export interface Examples {
  readonly count: number;
  readonly width: number;
  /** [count, width]; a row times its scale is the normalised embedding. */
  readonly embeddings: Int8Array;
  /** [count] */
  readonly scales: Float32Array;
}

/** @throws GanderError */
export function readExamples(folder: string): Examples {
  const { size } = statSync(fileInside(folder, 'examples.safetensors'));
  if (size > poolLimits.exampleBytes)
    throw invalid(
      `examples.safetensors has ${bytesInWords(size)}; at most ${bytesInWords(poolLimits.exampleBytes)} are held`,
    );
  const tensors = openTensors(folder, 'examples.safetensors');
  const [count, width] = matrix(tensors, 'embeddings');
  try {
    const scales = tensors.floats('scales');
    if (scales.length !== count) throw invalid('examples.safetensors: not one scale a row');
    return { count, width, embeddings: tensors.int8s('embeddings'), scales };
  } catch (error) {
    throw error instanceof SafetensorsError ? invalid(`examples.safetensors: ${error.message}`) : error;
  }
}

function openTensors(folder: string, file: string): Safetensors {
  try {
    return Safetensors.open(fileInside(folder, file));
  } catch (error) {
    throw error instanceof SafetensorsError ? invalid(`${file}: ${error.message}`) : error;
  }
}

function matrix(tensors: Safetensors, name: string): [number, number] {
  const shape = tensors.header.tensors.get(name)?.shape;
  if (shape?.length !== 2) throw invalid(`"${name}" is missing or not a matrix`);
  return [shape[0]!, shape[1]!];
}

function floats(tensors: Safetensors, name: string): Float32Array {
  try {
    return tensors.floats(name);
  } catch (error) {
    throw error instanceof SafetensorsError ? invalid(error.message) : error;
  }
}

function invalid(message: string): GanderError {
  return new GanderError(
    'expert-invalid',
    message,
    'Ask the contributor for a plain LoRA adapter, or remove the folder.',
  );
}
