import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { GanderError } from '../errors/errors.js';
import { poolLimits } from '../checks/limits.js';
import { schemaProblem } from '../checks/schemaWords.js';
import { fileInside } from './paths.js';

const text = z.string().max(10_000);
const relative = z.string().min(1).max(1024);

/** The graphs of an encoder-decoder (docs/pool-format.md, "Encoder-decoder base"). */
const pairSchema = z.object({ encoder: relative, decoder: relative, decoderWithPast: relative });

const routerSchema = z.object({ weights: relative, experts: z.array(z.string().min(1).max(500)).min(1) });

/** The file of a jointly trained router, and the ids of the experts that its rows belong to. */
export type JointRouter = z.infer<typeof routerSchema>;

const xloraSchema = z.strictObject({
  classifier: relative,
  experts: z.array(z.string().min(1).max(500)).min(1).max(poolLimits.experts),
  modules: z.array(z.string().min(1).max(poolLimits.modulePath)).min(1).max(poolLimits.modules),
});

/** The folder of an X-LoRA classifier, the ids of its adapters and the paths of its modules, in its order. */
export type XLoraEntry = z.infer<typeof xloraSchema>;

/** docs/pool-format.md, "pool.json". Unknown fields are ignored: a later minor version may add some. */
const manifestOf = <M extends z.ZodType>(model: M) =>
  z.object({
    format: z.literal('gander-pool'),
    version: z.int().positive(),
    id: z.string().min(1).max(200),
    name: text.min(1),
    description: text.optional(),
    license: text.optional(),
    base: z.object({ name: text, model, tokenizer: relative, config: relative }),
    experts: relative,
    /** The folder of the general adapters, which are subtracted from the experts (general.ts). */
    general: relative.optional(),
    multitask: relative.optional(),
    retriever: z.object({ model: relative, tokenizer: relative }).optional(),
    router: routerSchema.optional(),
    xlora: xloraSchema.optional(),
    topK: z.int().positive().max(1024),
    /** Added to the sum of the chosen probabilities before they are divided by it (docs/strategies.md). */
    weightEpsilon: z.number().min(0).max(1).optional(),
  });

const causalManifest = manifestOf(relative);
const pairManifest = manifestOf(pairSchema);

export type Manifest = z.infer<typeof causalManifest> | z.infer<typeof pairManifest>;

/** The files of an encoder-decoder's base. */
export type PairFiles = z.infer<typeof pairSchema>;

const understood = 1;

/** @throws GanderError `pool-missing`, `pool-invalid`, `pool-unsafe-path` */
export function readManifest(folder: string): Manifest {
  const file = path.join(folder, 'pool.json');
  if (!statSync(file, { throwIfNoEntry: false })) {
    throwIfAdapter(folder);
    throw new GanderError(
      'pool-missing',
      `There is no pool.json in ${folder}.`,
      'Choose the folder that contains pool.json.',
    );
  }
  const json = readJson(folder, 'pool.json');
  const version = (json as { version?: unknown } | null)?.version;
  if (typeof version === 'number' && version > understood) {
    throw new GanderError(
      'pool-invalid',
      `This pool has format version ${version}; this version of Gander reads ${understood}.`,
      'Update Gander.',
    );
  }
  const parsed = (namesSeveral(json) ? pairManifest : causalManifest).safeParse(json);
  if (!parsed.success) throw malformed('pool.json', parsed.error);
  return parsed.data;
}

const ofAdapter = z.object({ base_model_name_or_path: z.string().min(1).max(2000).nullish().catch(undefined) });

/** @throws GanderError `pool-missing` for the folder of an X-LoRA model, which only PEFT can put together */
export function throwIfXLora(folder: string): void {
  const name = 'adapter_config.json';
  if (!statSync(path.join(folder, name), { throwIfNoEntry: false })) return;
  if (!z.object({ peft_type: z.literal('XLORA') }).safeParse(readJson(folder, name)).success) return;
  throw new GanderError(
    'pool-missing',
    `${folder} is an X-LoRA model of PEFT, which cannot be opened as it is: only PEFT knows the order of the modules that it scales.`,
    `Make a pool of it, its adapters and its base: gander-training import-xlora "${folder}" --base BASE --out POOL.`,
  );
}

/** A person with a fine-tuned model may have only what was trained, not the model that it was trained on. */
function throwIfAdapter(folder: string): void {
  throwIfXLora(folder);
  const name = 'adapter_config.json';
  if (!statSync(path.join(folder, name), { throwIfNoEntry: false })) return;
  const base = ofAdapter.safeParse(readJson(folder, name)).data?.base_model_name_or_path;
  throw new GanderError(
    'pool-missing',
    `${folder} is a PEFT adapter for ${base ?? 'another model'}, not a model.`,
    'If its base is a mixture of experts, export both together: gander-training export-moe BASE OUT --adapter ADAPTER. Otherwise add it to a pool on the same base.',
  );
}

/** Whether a folder's pool.json declares an encoder-decoder as its base; errors in it are reported when the pool is read. */
export function namesPair(folder: string): boolean {
  try {
    return namesSeveral(readJson(folder, 'pool.json'));
  } catch {
    return false;
  }
}

/** Whether a pool.json names its base's files one by one. */
function namesSeveral(json: unknown): boolean {
  return z.object({ base: z.object({ model: z.object({}) }) }).safeParse(json).success;
}

const length = z
  .int()
  .positive()
  .max(2 ** 24)
  .nullish();

const lengths = z.object({
  max_position_embeddings: length,
  // GPT-2, CodeGen and BigCode; GPT-1; BLOOM; MPT.
  n_positions: length,
  n_ctx: length,
  seq_length: length,
  max_seq_len: length,
});
const configSchema = lengths.extend({ text_config: lengths.nullish() });

/** The context length, in tokens, of a model that declares none (one without position embeddings has no limit). */
export const unnamedContext = 2048;

/** Tokens that the base model can take; undefined if its configuration does not say. @throws GanderError */
export function readContextLength(folder: string, relativePath: string): number | undefined {
  const parsed = configSchema.safeParse(readJson(folder, relativePath));
  if (!parsed.success) throw malformed(relativePath, parsed.error);
  const told = (of: z.infer<typeof lengths>) =>
    of.max_position_embeddings ?? of.n_positions ?? of.n_ctx ?? of.seq_length ?? of.max_seq_len ?? undefined;
  return told(parsed.data) ?? (parsed.data.text_config ? told(parsed.data.text_config) : undefined);
}

/** @throws GanderError `pool-invalid`, `pool-unsafe-path` */
export function readJson(folder: string, relativePath: string): unknown {
  const file = fileInside(folder, relativePath);
  if (statSync(file).size > poolLimits.json)
    throw new GanderError(
      'pool-invalid',
      `${relativePath} is larger than such a file can be.`,
      'Restore the file from where it came from.',
    );
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new GanderError('pool-invalid', `${relativePath} is not JSON.`, 'Restore the file from where it came from.', {
      cause,
    });
  }
}

function malformed(file: string, error: z.ZodError): GanderError {
  return new GanderError('pool-invalid', `${file}: ${schemaProblem(error)}.`, 'See docs/pool-format.md.');
}
