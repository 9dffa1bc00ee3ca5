/** atlas.json: what an atlas says about itself. */
import { z } from 'zod';
import { GanderError } from '../errors/errors.js';
import { ganderVersion } from '../product/version.js';
import type { Trace } from '../trace/model/trace.js';
import { layerSchema } from './layout.js';

/** Increased when a field or column is removed or changes its meaning, but not when one is added. */
const version = 1;

/** What was run; it must be the same for the traces of all documents. */
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

/** How the corpus was read; shards can be merged only if they agree on it. */
const corpusSchema = z.object({
  label: z.string(),
  text: z.string(),
  id: z.string().nullable(),
  target: z.string().nullable().default(null),
  /** From 1; null for the whole corpus. */
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
  /** How often labels were shuffled among documents; 0 if chance was computed instead, or if there were fewer than two labels. */
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

/** @throws GanderError `request-invalid` with what differs */
export function checkSameRun(a: AtlasRun, b: AtlasRun): void {
  const differs = (Object.keys(a) as (keyof AtlasRun)[]).find(
    (key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]),
  );
  if (differs === undefined) return;
  throw new GanderError(
    'request-invalid',
    `An atlas holds one model with one way of routing: ${differs} is ${JSON.stringify(a[differs])} in one run and ${JSON.stringify(b[differs])} in another.`,
    'Make an atlas for each.',
  );
}
