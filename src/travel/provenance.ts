/** provenance.json, by which a packed expert says what it is and what it was made from (docs/pool-format.md). */
import { z } from 'zod';
import { schemaProblem } from '../checks/schemaWords.js';
import { GanderError } from '../errors/errors.js';
import { filesSchema, provenanceFile, sha256Schema } from './files.js';

const text = z.string().max(2000);

const provenanceSchema = z.object({
  format: z.literal('gander-expert'),
  version: z.int().positive(),
  id: z.string().min(1).max(200),
  base: z.object({ name: text, sha256: sha256Schema }),
  license: text.optional(),
  /** Who made it, in their own words. */
  author: text.optional(),
  /** What it was trained on. */
  data: z.array(text).max(1000).optional(),
  /** How it was made. */
  command: text.optional(),
  /** All other files. */
  files: filesSchema,
});

export type Provenance = z.infer<typeof provenanceSchema>;

export const provenanceVersion = 1;

/** @throws GanderError `expert-invalid` */
export function readProvenance(content: string): Provenance {
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch (cause) {
    throw invalid('is not JSON', cause);
  }
  const version = (json as { version?: unknown } | null)?.version;
  if (typeof version === 'number' && version > provenanceVersion)
    throw new GanderError(
      'expert-invalid',
      `Its ${provenanceFile} has version ${version}; this version of Gander reads ${provenanceVersion}.`,
      'Update Gander.',
    );
  const parsed = provenanceSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw invalid(`is not as it should be: ${schemaProblem(parsed.error)}`);
}

const invalid = (what: string, cause?: unknown) =>
  new GanderError('expert-invalid', `Its ${provenanceFile} ${what}.`, 'Ask whoever packed it to pack it again.', {
    cause,
  });
