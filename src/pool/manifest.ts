import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { GanderError } from '../shared/errors.js';
import { poolLimits } from '../shared/limits.js';
import { fileInside } from './paths.js';

const text = z.string().max(10_000);
const relative = z.string().min(1).max(1024);

/** docs/pool-format.md, "pool.json". Unknown fields are let through: a later minor version may add some. */
const manifestSchema = z.object({
  format: z.literal('gander-pool'),
  version: z.int().positive(),
  id: z.string().min(1).max(200),
  name: text.min(1),
  description: text.optional(),
  license: text.optional(),
  base: z.object({ name: text, model: relative, tokenizer: relative, config: relative }),
  experts: relative,
  multitask: relative.optional(),
  retriever: z.object({ model: relative, tokenizer: relative }).optional(),
  topK: z.int().positive().max(1024),
});

export type Manifest = z.infer<typeof manifestSchema>;

const understood = 1;

/** @throws GanderError `pool-missing`, `pool-invalid`, `pool-unsafe-path` */
export function readManifest(folder: string): Manifest {
  const file = path.join(folder, 'pool.json');
  if (!statSync(file, { throwIfNoEntry: false })) {
    throw new GanderError(
      'pool-missing',
      `There is no pool.json in ${folder}.`,
      'Choose the folder that holds pool.json.',
    );
  }
  const json = readJson(folder, 'pool.json');
  const version = (json as { version?: unknown } | null)?.version;
  if (typeof version === 'number' && version > understood) {
    throw new GanderError(
      'pool-invalid',
      `This pool has format version ${version}; this Gander understands ${understood}.`,
      'Update Gander.',
    );
  }
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) throw malformed('pool.json', parsed.error);
  return parsed.data;
}

const configSchema = z.object({
  max_position_embeddings: z
    .int()
    .positive()
    .max(2 ** 24),
});

/** Tokens that the base model can take. @throws GanderError */
export function readContextLength(folder: string, relativePath: string): number {
  const parsed = configSchema.safeParse(readJson(folder, relativePath));
  if (!parsed.success) throw malformed(relativePath, parsed.error);
  return parsed.data.max_position_embeddings;
}

/** @throws GanderError `pool-invalid`, `pool-unsafe-path` */
export function readJson(folder: string, relativePath: string): unknown {
  const file = fileInside(folder, relativePath);
  if (statSync(file).size > poolLimits.json)
    throw new GanderError('pool-invalid', `${relativePath} is too large.`, 'Fetch the pool again.');
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new GanderError('pool-invalid', `${relativePath} is not JSON.`, 'Fetch the pool again.', { cause });
  }
}

function malformed(file: string, error: z.ZodError): GanderError {
  const issue = error.issues[0];
  return new GanderError(
    'pool-invalid',
    `${file}: ${issue?.path.length ? issue.path.join('.') : 'the file'}: ${issue?.message}.`,
    'See docs/pool-format.md.',
  );
}
