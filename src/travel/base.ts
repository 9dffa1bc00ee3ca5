/** Whether an expert was made for a pool's base. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { GanderError } from '../errors/errors.js';
import { mostSmallBytes, provenanceFile, sizeOf } from './files.js';
import { readProvenance } from './provenance.js';

/** What an expert says of the base that it was made for. */
export interface ToldBase {
  readonly name?: string | undefined;
  /** Of its weights. */
  readonly sha256?: string;
}

/**
 * How surely it is the same: by the hash of its weights; only by its name, as with another export of it; not at all; or it is not
 * known what the expert was made for.
 */
export const baseMatches = ['same', 'named', 'other', 'unknown'] as const;
export type BaseMatch = (typeof baseMatches)[number];

export function matchOf(told: ToldBase, { names, sha256 }: KnownBase): BaseMatch {
  if (told.sha256 === sha256) return 'same';
  if (!told.name) return told.sha256 === undefined ? 'unknown' : 'other';
  return names.has(plain(told.name)) ? 'named' : 'other';
}

/** A pool's base, by the hash of its weights and by each name that the pool or an expert of it has for it. */
export interface KnownBase {
  readonly sha256: string;
  readonly names: ReadonlySet<string>;
}

export async function baseOfPool({ baseName, baseHash, experts }: PoolWithBase): Promise<KnownBase> {
  const told = await Promise.all(experts.map(({ folder }) => baseOf(folder)));
  return { sha256: baseHash, names: new Set([baseName, ...told.flatMap(({ name }) => name ?? [])].map(plain)) };
}

interface PoolWithBase {
  readonly baseName: string;
  readonly baseHash: string;
  readonly experts: readonly { readonly folder: string }[];
}

/** A base's name without its owner or folder. */
const plain = (name: string): string =>
  name
    .replace(/[\\/]+$/, '')
    .split(/[\\/]/)
    .at(-1)!
    .toLowerCase();

export const otherBase = (id: string, told: ToldBase, baseName: string, remedy: string): GanderError =>
  new GanderError('expert-invalid', `${id} was made for ${told.name ?? 'other weights'}, not for ${baseName}.`, remedy);

/** Whether it is a folder of PEFT's X-LoRA: a classifier, not an adapter. */
export async function isXLora(folder: string): Promise<boolean> {
  try {
    const config: unknown = JSON.parse((await smallText(path.join(folder, 'adapter_config.json'))) ?? '');
    return z.object({ peft_type: z.literal('XLORA') }).safeParse(config).success;
  } catch {
    return false;
  }
}

const configSchema = z.object({ base_model_name_or_path: z.string().min(1).max(2000).optional().catch(undefined) });

/** What an expert's folder says of its base. What is wrong with its files, the pool that takes it says. */
export async function baseOf(folder: string): Promise<ToldBase> {
  const provenance = await smallText(path.join(folder, provenanceFile));
  if (provenance !== undefined) return readProvenance(provenance).base;
  try {
    const config = configSchema.parse(JSON.parse((await smallText(path.join(folder, 'adapter_config.json'))) ?? ''));
    return { name: config.base_model_name_or_path };
  } catch {
    return {};
  }
}

/** A file's text; undefined: it is not there, or too long. */
export async function smallText(file: string): Promise<string | undefined> {
  const size = await sizeOf(file);
  return size > 0 && size <= mostSmallBytes ? readFile(file, 'utf8') : undefined;
}
