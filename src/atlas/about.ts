/** What an atlas says of itself: atlas.json. */
import { z } from 'zod';
import { GanderError } from '../errors/errors.js';
import { ganderVersion } from '../product/version.js';
import type { Trace } from '../trace/model/trace.js';
import { layerSchema } from './layout.js';

/** Raised when a field or a column goes or changes its meaning; a new one does not. */
const version = 1;

/** What was run; every document's trace has to say the same. */
export const runSchema = z.object({
  kind: z.string(),
  name: z.string(),
  id: z.string().nullable(),
  hash: z.string().nullable(),
  tokenizer: z.string().nullable(),
  router: z.object({ name: z.string(), k: z.int().nullable(), scoring: z.string().nullable() }),
  interventions: z.array(z.unknown()),
});

export type AtlasRun = z.infer<typeof runSchema>;

export const leftOutSchema = z.object({ document: z.string(), why: z.string() });

export type LeftOut = z.infer<typeof leftOutSchema>;

/** How the corpus was read: shards that are merged have to agree on it. */
const corpusSchema = z.object({
  label: z.string(),
  text: z.string(),
  id: z.string().nullable(),
  /** From 1; null: all of it. */
  shard: z.object({ at: z.int(), of: z.int() }).nullable(),
});

export type CorpusAbout = z.infer<typeof corpusSchema>;

export const aboutSchema = z.object({
  format: z.literal('gander-atlas'),
  version: z.literal(version),
  gander: z.string(),
  run: runSchema,
  layers: z.array(layerSchema).min(1),
  corpus: corpusSchema.extend({
    /** SHA-256 over all documents' ids, hashes and labels. */
    fingerprint: z.string(),
    labels: z.array(z.string()),
  }),
  totals: z.object({ documents: z.int(), tokens: z.int(), bytes: z.int(), bitsPerByte: z.number().nullable() }),
  /** How often labels were shuffled among documents; 0: their chance was computed, or there were fewer than two. */
  shuffles: z.int(),
  leftOut: z.array(leftOutSchema),
});

export type About = z.infer<typeof aboutSchema>;

export const formatFields = { format: 'gander-atlas', version, gander: ganderVersion } as const;

export function runOf({ source, router, interventions }: Trace): AtlasRun {
  const { kind, name, id = null, hash = null, tokenizer = null } = source;
  return {
    kind,
    name,
    id,
    hash,
    tokenizer,
    router: { name: router.name, k: router.k ?? null, scoring: router.scoring ?? null },
    interventions: [...interventions],
  };
}

/** @throws GanderError `request-invalid` naming what differs */
export function checkSameRun(a: AtlasRun, b: AtlasRun): void {
  const differs = (Object.keys(a) as (keyof AtlasRun)[]).find(
    (key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]),
  );
  if (differs === undefined) return;
  throw new GanderError(
    'request-invalid',
    `An atlas is of one model and one way of routing: ${differs} is ${JSON.stringify(a[differs])} in one run and ${JSON.stringify(b[differs])} in another.`,
    'Make an atlas of each.',
  );
}
