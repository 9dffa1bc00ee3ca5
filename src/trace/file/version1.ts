/** Trace files of version 1: one text, and one pool of experts at every module. Gander reads them but no longer writes them. */
import { z } from 'zod';
import {
  checkChosen,
  checkOffsets,
  checkPredictions,
  type Container,
  type Counts,
  defined,
  expertsSchema,
  interventionSchema,
  lookupsOf,
  partOf,
  sizeOf,
} from './container.js';
import type { Block, Router, Trace } from '../model/trace.js';

const k = z.int().min(1);

/** What a version 1 file says about the router: a closed list in that version. */
const strategy = z.discriminatedUnion('name', [
  z.object({ name: z.literal('base') }),
  z.object({ name: z.literal('single'), expert: z.string() }),
  z.object({ name: z.literal('phatgoose'), k }),
  z.object({ name: z.literal('retrieval'), expert: z.string().exactOptional() }),
  z.object({ name: z.literal('merged') }),
  z.object({ name: z.literal('average-activation'), k }),
  z.object({ name: z.literal('arrow'), k }),
  z.object({ name: z.literal('multitask') }),
]);

const schema = z.object({
  format: z.literal('gander-trace'),
  version: z.literal(1),
  text: z.string(),
  modules: z.array(z.object({ path: z.string(), layer: z.int(), kind: z.string() })),
  experts: expertsSchema,
  tokens: z.array(z.string()),
  topTokens: z.array(z.array(z.string())).exactOptional(),
  strategy,
  interventions: z.array(interventionSchema),
  pool: z.object({ id: z.string(), name: z.string().exactOptional(), hash: z.string() }),
  tokenizer: z.object({ hash: z.string() }),
  versions: z.record(z.string(), z.string()),
  created: z.string(),
});

function countOf(header: unknown): Counts {
  const count = (key: string) => sizeOf(partOf(header, key));
  return {
    tokens: count('tokens'),
    modules: count('modules'),
    experts: count('experts'),
    interventions: count('interventions'),
    lookups: lookupsOf(partOf(header, 'interventions'), count('modules')),
    versions: count('versions'),
  };
}

/** @throws GanderError `trace-invalid` */
export function readVersion1(container: Container): Trace {
  const header = container.parse(schema, countOf);
  const { pool, modules, experts } = header;
  const M = modules.length;
  const T = header.tokens.length;
  const K = container.width('chosen', 2);
  const P = container.width('top_ids', 1);
  const start = container.required('token_start', 'I32', [T]);
  const end = container.required('token_end', 'I32', [T]);
  const chosen = container.required('chosen', 'I16', [M, T, K]);
  const predicted = {
    logProb: container.optional('log_prob', 'F32', [T]),
    topIds: container.optional('top_ids', 'I32', [T, P]),
    topLogProb: container.optional('top_log_prob', 'F32', [T, P]),
  };
  checkOffsets(start, end, header.text);
  checkChosen(chosen, K, experts.length);
  checkPredictions(predicted.topIds, predicted.topLogProb, header.topTokens, T, P);
  const block: Block = {
    from: 0,
    to: M,
    sequence: 0,
    experts: experts.length,
    k: K,
    sharedExperts: 0,
    chosen,
    weight: container.required('weight', 'F32', [M, T, K]),
    ...defined({
      score: container.optional('affinity', 'F32', [M, T, experts.length]),
      contribution: container.optional('contribution', 'F32', [M, T, K]),
    }),
  };
  return {
    source: {
      kind: 'pool',
      name: pool.name ?? pool.id,
      id: pool.id,
      hash: pool.hash,
      tokenizer: header.tokenizer.hash,
      versions: header.versions,
    },
    router: routerOf(header.strategy, experts.length),
    interventions: header.interventions,
    sequences: [
      {
        role: 'text',
        text: header.text,
        tokens: {
          count: T,
          ids: container.required('token_ids', 'I32', [T]),
          start,
          end,
          text: header.tokens,
          // In version 1, this is the only sign of a special token.
          special: Uint8Array.from(start, (s) => (s < 0 ? 1 : 0)),
        },
        done: T,
        predictions: P,
        ...defined({ ...predicted, topTokens: header.topTokens?.flat() }),
      },
    ],
    expertSets: [{ scope: 'pool', experts }],
    modules: modules.map((module) => ({ ...module, sequence: 0, expertSet: 0 })),
    blocks: M > 0 ? [block] : [],
    created: header.created,
  };
}

/** A k larger than the number of experts meant all of them. */
function routerOf(said: z.infer<typeof strategy>, experts: number): Router {
  return {
    name: said.name,
    scoring: 'softmax',
    ...('k' in said && { k: Math.min(said.k, Math.max(1, experts)) }),
    ...('expert' in said && { params: { expert: said.expert } }),
  };
}
