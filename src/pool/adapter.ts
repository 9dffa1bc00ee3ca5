import { statSync } from 'node:fs';
import { bytesInWords } from '../formats/bytes.js';
import { GanderError } from '../errors/errors.js';
import { poolLimits } from '../checks/limits.js';
import { plainRemedy, readAdapterConfig } from './adapterConfig.js';
import { fileInside } from './paths.js';
import { readPatterns } from './patterns.js';
import { type FloatType, Safetensors, SafetensorsError } from './safetensors.js';

/** One expert's change of one module: W u + scale · B A u. */
export interface AdaptedModule {
  readonly rank: number;
  readonly dIn: number;
  readonly dOut: number;
  readonly scale: number;
  /** Type of the numbers in the file. */
  readonly stored: FloatType;
  /** [rank, dIn] */
  readonly a: () => Float32Array;
  /** [dOut, rank] */
  readonly b: () => Float32Array;
}

/** A copy of a base's own weight that PEFT saved beside an adapter, as it does for `lm_head`. */
export interface BaseCopy {
  readonly shape: readonly number[];
  readonly read: () => Float32Array;
}

/** One vector per module, read on request. */
export type Vectors = ReadonlyMap<string, { length: number; read: () => Float32Array }>;

export interface Adapter {
  /** The largest of its modules' ranks. */
  readonly rank: number;
  /** By Hugging Face path. */
  readonly modules: ReadonlyMap<string, AdaptedModule>;
  /** By the path of the adapted module that the weight belongs to. */
  readonly baseCopies: ReadonlyMap<string, BaseCopy>;
}

const tensorName = /^base_model\.model\.(.+)\.lora_([AB])(?:\.default)?\.weight$/;
const baseCopyName = /^base_model\.model\.(.+)\.base_layer\.weight$/;

/**
 * Reads a PEFT LoRA adapter; tensors stay on disk until they are needed. `target_modules` is not read: the tensors show which
 * modules are adapted and at which rank.
 *
 * @param folder of the adapter, inside the pool.
 * @throws GanderError `expert-invalid`, `pool-unsafe-path`
 */
export function readAdapter(folder: string): Adapter {
  const config = readAdapterConfig(folder);
  const rankOf = readPatterns('rank_pattern', config.rank_pattern);
  const alphaOf = readPatterns('alpha_pattern', config.alpha_pattern);
  const tensors = openTensors(folder, 'adapter_model.safetensors');
  if (tensors.header.tensors.size > 2 * poolLimits.modules)
    throw invalid(
      `it has ${tensors.header.tensors.size} tensors; an adapter changes at most ${poolLimits.modules} modules`,
    );
  const found = new Map<string, { A?: string; B?: string }>();
  const baseCopies = new Map<string, BaseCopy>();
  for (const [name, { shape }] of tensors.header.tensors) {
    const copied = baseCopyName.exec(name)?.[1];
    if (copied !== undefined) {
      baseCopies.set(copied, { shape, read: () => floats(tensors, name) });
      continue;
    }
    const match = tensorName.exec(name);
    if (!match || match[1]!.endsWith('.base_layer')) throw unusable(name);
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
      throw invalid(`${path}: shapes [${rank}, ${dIn}] and [${dOut}, ${rank}] cannot form an adapter`);
    const declared = rankOf(path) ?? config.r;
    if (declared !== rank) throw invalid(`${path}: rank ${rank}, where adapter_config.json says ${declared}`);
    const alpha = alphaOf(path) ?? config.lora_alpha;
    const scale = alpha / (config.use_rslora ? Math.sqrt(rank) : rank);
    const stored = widest(tensors, A, B);
    modules.set(path, { rank, dIn, dOut, scale, stored, a: () => floats(tensors, A), b: () => floats(tensors, B) });
  }
  if (modules.size === 0) throw invalid('it adapts nothing');
  for (const path of baseCopies.keys())
    if (!modules.has(path))
      throw invalid(`it contains a base weight for ${path.slice(0, 120)}, which it does not adapt`);
  return { rank: Math.max(...[...modules.values()].map((m) => m.rank)), modules, baseCopies };
}

/** Says what a tensor is instead of a LoRA matrix of a linear layer. */
function unusable(name: string): GanderError {
  const shown = `"${name.slice(0, 120)}"`;
  // PEFT wraps a parameter, not a module: the expert axis is part of the rank.
  if (/\.base_layer\.lora_[AB]/.test(name))
    return invalid(`${shown} adapts a parameter (target_parameters), not a linear layer`);
  if (/\.lora_embedding_[AB]/.test(name)) return invalid(`${shown} adapts an embedding, not a linear layer`);
  if (name.endsWith('.weight') && !name.includes('lora_'))
    return invalid(`${shown} is a weight of the base itself, trained or with a vocabulary of another size`);
  return invalid(`${shown} is not a LoRA matrix of a linear layer`);
}

/**
 * Reads a file of one vector per module (gates, mean inputs), by module path, with or without PEFT's prefix and suffix.
 *
 * @throws GanderError
 */
export function readVectors(folder: string, file: string): Vectors {
  const tensors = openTensors(folder, file);
  const vectors = new Map<string, { length: number; read: () => Float32Array }>();
  for (const [name, { shape }] of tensors.header.tensors) {
    if (shape.length !== 1) throw invalid(`${file}: "${name}" is not a vector`);
    const module = name.replace(/^base_model\.model\./, '').replace(/(?:\.default)?(?:\.weight)?$/, '');
    if (vectors.has(module)) throw invalid(`${file}: two vectors for ${module.slice(0, 120)}`);
    vectors.set(module, { length: shape[0]!, read: () => floats(tensors, name) });
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
    if (scales.length !== count) throw invalid('examples.safetensors does not have one scale per row');
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

/** The type that can hold the numbers of both; reading a tensor of any other type is an error. */
function widest({ header }: Safetensors, a: string, b: string): FloatType {
  const [first, second] = [a, b].map((name) => header.tensors.get(name)?.dtype);
  return first === second && (first === 'F16' || first === 'BF16') ? first : 'F32';
}

function floats(tensors: Safetensors, name: string): Float32Array {
  try {
    return tensors.floats(name);
  } catch (error) {
    throw error instanceof SafetensorsError ? invalid(error.message) : error;
  }
}

function invalid(message: string): GanderError {
  return new GanderError('expert-invalid', message, plainRemedy);
}
