/** What an earlier evaluation.json of the same pool and documents already explains, which need not be traced again. */
import { z } from 'zod';
import type { Document, Part } from './documents.js';
import type { Explanation } from './explain.js';

/** By part of the documents. */
export type Explanations = ReadonlyMap<Part, Explanation>;

const schema = z.object({
  pool: z.object({ hash: z.string() }),
  seed: z.number(),
  sections: z.array(
    z.object({ part: z.enum(['heldout', 'own']), explanation: z.custom<Explanation>().exactOptional() }),
  ),
  results: z.array(z.object({ hash: z.string(), part: z.enum(['heldout', 'own']) })),
});

/** JSON has no NaN, which stands for what is not defined, such as an interval of few documents. */
const revived = (key: string, value: unknown): unknown =>
  value === null && ['low', 'high', 'totalVariation'].includes(key) ? NaN : value;

/** @param hashes of the pools that give the same numbers @param seed of the intervals */
export function explanationsIn(
  json: string,
  hashes: readonly string[],
  documents: readonly Document[],
  seed: number,
): Explanations {
  const found = new Map<Part, Explanation>();
  const parsed = schema.safeParse(JSON.parse(json, revived));
  if (!parsed.success || !hashes.includes(parsed.data.pool.hash) || parsed.data.seed !== seed) return found;
  const { sections, results } = parsed.data;
  const hashesOf = (all: readonly { readonly part: Part; readonly hash: string }[], wanted: Part): string =>
    all
      .filter(({ part }) => part === wanted)
      .map(({ hash }) => hash)
      .sort()
      .join();
  for (const { part, explanation } of sections)
    if (explanation && hashesOf(results, part) === hashesOf(documents, part)) found.set(part, explanation);
  return found;
}
