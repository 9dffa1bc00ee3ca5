/** Reads the folder of an ONNX model in the layouts that exporters write. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { readCard } from '../../../pool/card.js';
import { readJson, throwIfXLora, unnamedContext } from '../../../pool/manifest.js';
import { checkBaseSizes } from '../../../pool/baseFiles.js';
import { fileInside } from '../../../pool/paths.js';
import { GanderError } from '../../../errors/errors.js';
import { traceLimits } from '../../../checks/limits.js';
import { schemaProblem } from '../../../checks/schemaWords.js';
import type { Warning } from '../../../requests/description.js';

/** What a configuration says about the graph; undefined if it says nothing. */
export interface Told {
  /** How many experts a layer has, and how many of them a token goes to. */
  readonly experts: number | undefined;
  readonly k: number | undefined;
  readonly layers: number | undefined;
  /** Whether the weights of the chosen experts are normalised to add up to 1. */
  readonly normalised: boolean | undefined;
  readonly scoring: 'softmax' | 'sigmoid' | undefined;
}

export interface MoeFolder {
  readonly folder: string;
  /** The name on its card, or else the folder's name. */
  readonly name: string;
  /** Absolute path. */
  readonly model: string;
  readonly tokenizer: string;
  /** Absolute paths of those that exist. */
  readonly configs: readonly string[];
  /** Absolute path, whether it exists or not; the card changes no number. */
  readonly card: string;
  /** The architecture, as the configuration calls it. */
  readonly type: string | undefined;
  readonly contextLength: number;
  readonly endTokens: ReadonlySet<number>;
  readonly told: Told;
  readonly warnings: readonly Warning[];
}

const count = z
  .int()
  .positive()
  .max(2 ** 24)
  .nullish();
const ids = z.union([z.int(), z.array(z.int()).max(1000)]).nullish();

/** The fields of Hugging Face's config.json that are needed besides the graph. */
const facts = z.object({
  model_type: z.string().max(200).nullish(),
  max_position_embeddings: count,
  eos_token_id: ids,
  num_local_experts: count,
  num_experts: count,
  n_routed_experts: count,
  num_experts_per_tok: count.catch(undefined),
  num_hidden_layers: count.catch(undefined),
  norm_topk_prob: z.boolean().nullish().catch(undefined),
  scoring_func: z.enum(['softmax', 'sigmoid']).nullish().catch(undefined),
  auto_map: z.unknown().optional(),
});
const configSchema = facts.extend({ text_config: facts.nullish() });

/** The fields that are needed of onnxruntime-genai's genai_config.json. */
const genaiSchema = z.object({
  model: z.object({
    type: z.string().max(200).nullish(),
    context_length: count,
    eos_token_id: ids,
    decoder: z.object({ filename: z.string().min(1).max(1024).nullish() }).nullish(),
  }),
});

const configName = 'config.json';
const genaiName = 'genai_config.json';
const cardFile = 'README.md';

/** Where a model file usually is, the most precise first: under exporters' name for it, or in the layout of onnx-community. */
const usual = ['model.onnx', 'onnx/model.onnx', 'onnx/model_fp16.onnx', 'onnx/model_q4.onnx', 'onnx/model_q4f16.onnx'];

/** The folder of a model: instead of the folder, its file may be chosen. */
export function folderOf(chosen: string): string {
  if (!isModelFile(chosen)) return chosen;
  const beside = path.dirname(chosen);
  const above = path.dirname(beside);
  return !existsSync(path.join(beside, configName)) && existsSync(path.join(above, configName)) ? above : beside;
}

/** Whether it is probably an ONNX model, judging by the names of its files. */
export function looksLikeModel(chosen: string): boolean {
  if (isModelFile(chosen)) return true;
  const names = [configName, genaiName, ...usual];
  return !existsSync(path.join(chosen, 'pool.json')) && names.some((name) => existsSync(path.join(chosen, name)));
}

function isModelFile(chosen: string): boolean {
  return chosen.endsWith('.onnx');
}

/** @throws GanderError `model-missing`, `model-invalid`, `pool-missing`, `pool-unsafe-path`, `pool-invalid` */
export function readMoeFolder(chosen: string): MoeFolder {
  const folder = folderOf(chosen);
  // A base beside it would be another model than the one that was chosen.
  if (folder === chosen) throwIfXLora(folder);
  const present = [configName, genaiName].filter((name) => existsSync(path.join(folder, name)));
  if (present.length === 0)
    throw new GanderError(
      'model-invalid',
      `There is no ${configName} in ${folder}, nor a ${genaiName}.`,
      `Copy the model's ${configName} into the folder.`,
    );
  const config = present.includes(configName) ? read(folder, configName, configSchema) : undefined;
  const genai = present.includes(genaiName) ? read(folder, genaiName, genaiSchema).model : undefined;
  const text = config?.text_config ?? config;
  const told = text?.max_position_embeddings ?? genai?.context_length ?? undefined;
  const warnings: Warning[] = [];
  if (told === undefined)
    warnings.push({
      code: 'context-unknown',
      text: `${present[0]!} declares no context length: ${unnamedContext} tokens are used.`,
    });
  if (config?.auto_map !== undefined && config.auto_map !== null)
    warnings.push({
      code: 'code-unused',
      text: `${configName} refers to Python code of the model's own (auto_map). Gander does not run it, but shows what the ONNX file computes.`,
    });
  const model = isModelFile(chosen)
    ? fileInside(folder, path.relative(folder, chosen))
    : modelIn(folder, genai?.decoder?.filename);
  const tokenizer = tokenizerIn(folder);
  checkBaseSizes({ model, tokenizer });
  const named = cardName(folder);
  return {
    folder,
    name: named?.length ? named : path.basename(folder),
    model,
    tokenizer,
    configs: present.map((name) => path.join(folder, name)),
    card: path.join(folder, cardFile),
    type: text?.model_type ?? genai?.type ?? undefined,
    contextLength: Math.min(told ?? unnamedContext, traceLimits.tokens),
    endTokens: new Set([text?.eos_token_id ?? config?.eos_token_id ?? genai?.eos_token_id ?? []].flat()),
    told: {
      experts: text?.num_local_experts ?? text?.num_experts ?? text?.n_routed_experts ?? undefined,
      k: text?.num_experts_per_tok ?? undefined,
      layers: text?.num_hidden_layers ?? undefined,
      normalised: text?.norm_topk_prob ?? undefined,
      scoring: text?.scoring_func ?? undefined,
    },
    warnings,
  };
}

function modelIn(folder: string, named: string | null | undefined): string {
  const found = [...(named ? [named] : []), ...usual].find((name) => existsSync(path.join(folder, name)));
  const file = found ?? onlyModel(folder);
  if (file !== undefined) return fileInside(folder, file);
  throw new GanderError(
    'model-missing',
    `There is no ONNX model in ${folder}.`,
    'Export the model (gander-training export-moe), or choose the folder that contains model.onnx.',
  );
}

/** The only .onnx file in the folder or its subfolder `onnx`; with several, any choice would be a guess. */
function onlyModel(folder: string): string | undefined {
  const files = ['', 'onnx'].flatMap((under) =>
    statSync(path.join(folder, under), { throwIfNoEntry: false })?.isDirectory()
      ? readdirSync(path.join(folder, under))
          .filter(isModelFile)
          .map((name) => path.join(under, name))
      : [],
  );
  return files.length === 1 ? files[0] : undefined;
}

function cardName(folder: string): string | undefined {
  const isFile = statSync(path.join(folder, cardFile), { throwIfNoEntry: false })?.isFile();
  return isFile ? readCard(fileInside(folder, cardFile)).name : undefined;
}

function tokenizerIn(folder: string): string {
  if (existsSync(path.join(folder, 'tokenizer.json'))) return fileInside(folder, 'tokenizer.json');
  throw new GanderError(
    'model-invalid',
    `There is no tokenizer.json in ${folder}.`,
    "Copy the model's tokenizer.json into the folder.",
  );
}

function read<T>(folder: string, name: string, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(readJson(folder, name));
  if (parsed.success) return parsed.data;
  throw new GanderError(
    'model-invalid',
    `${name}: ${schemaProblem(parsed.error)}.`,
    'Restore the file from where it came from.',
  );
}
