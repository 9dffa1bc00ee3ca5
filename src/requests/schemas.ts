/**
 * The types of each request and its result, and the check of what is asked, wherever it comes from: another extension, the page,
 * another process.
 */
import { z } from 'zod';
import type {
  AttributeRequest,
  Attribution,
  Candidate,
  GenerateRequest,
  Lens,
  LensRequest,
  ModelInfo,
  PoolRequest,
  RouteRequest,
  RunOptions,
  Score,
  Similarity,
} from './api.js';
import type { RequestName } from './table.js';
import { GanderError } from '../errors/errors.js';
import { schemaProblem } from '../checks/schemaWords.js';
import { strategySchema } from '../strategies/schema.js';
import type { Intervention, Trace } from '../trace/model/trace.js';

const index = z.int().min(0);
const name = z.string().min(1).max(500);

const scope = z.strictObject({
  stack: z.enum(['encoder', 'decoder']).exactOptional(),
  layer: index.exactOptional(),
  kind: name.exactOptional(),
  module: name.exactOptional(),
  sequence: index.exactOptional(),
  token: index.exactOptional(),
  tokens: z
    .array(
      z.tuple([index, index]).refine(([from, to]) => from < to, 'not a range of tokens: it must end after it begins'),
    )
    .min(1)
    .max(10_000)
    .exactOptional(),
});

const intervention: z.ZodType<Intervention> = z.discriminatedUnion('action', [
  z.strictObject({ action: z.literal('knock-out'), expert: name, scope }),
  z.strictObject({ action: z.literal('force'), expert: name, scope }),
  z.strictObject({ action: z.literal('logit-bias'), expert: name, amount: z.number(), scope }),
]);

/** The most ranges of tokens in all what-ifs of a run together. */
const mostRanges = 2 ** 15;

export const interventionsSchema = z
  .array(intervention)
  .max(10_000)
  .refine(
    (all) => all.reduce((sum, { scope: { tokens = [] } }) => sum + tokens.length, 0) <= mostRanges,
    `too long: what-ifs may name at most ${mostRanges} ranges of tokens together`,
  );

const poolSchema = z.object({ tried: z.string().min(1).optional() });

const routeSchema = poolSchema.extend({
  text: z.string(),
  target: z.string().optional(),
  maxTokens: z.int().min(0).optional(),
  strategy: strategySchema.optional(),
  interventions: interventionsSchema.optional(),
});

/** The request and result of each row in the table; `part`: what is sent of the result before the end. */
export interface Requests {
  info: { request: undefined; result: ModelInfo };
  route: { request: RouteRequest; result: Trace; part: Trace };
  generate: { request: GenerateRequest; result: Trace; part: Trace };
  /** Its parts come expert by expert. */
  attribute: { request: AttributeRequest; result: Attribution; part: Attribution };
  score: { request: RouteRequest; result: Score };
  lens: { request: LensRequest; result: Lens };
  /** For all experts that fit the base. Progress counts modules. */
  similarity: { request: PoolRequest | undefined; result: Similarity };
  /** An absolute folder. Rejects with `expert-invalid` and the reason if the pool cannot take the expert. */
  examine: { request: string; result: Candidate };
}

/** One for each request of the table. */
export const schemas: Readonly<Record<RequestName, z.ZodType>> = {
  info: z.undefined(),
  route: routeSchema,
  generate: routeSchema.extend({
    maxTokens: z.int().min(0),
    temperature: z.number().min(0).optional(),
    topP: z.number().gt(0).max(1).optional(),
    seed: z.number().optional(),
  }),
  attribute: routeSchema.extend({ layer: index.optional(), most: z.int().min(1).max(1024).optional() }),
  score: routeSchema,
  lens: routeSchema.extend({ token: index }),
  similarity: poolSchema.optional(),
  examine: z.string().min(1),
};

/** @throws GanderError `request-invalid` */
export function checkedRequest<N extends RequestName>(
  name: N,
  request: Requests[N]['request'],
): Requests[N]['request'] {
  return checked(schemas[name], request, 'The request') as Requests[N]['request'];
}

const listener = <F>() => z.custom<F>((value) => typeof value === 'function', 'not a function');
/** Not by instanceof: the signal may come from another realm. */
const signal = z.custom<AbortSignal>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    'aborted' in value &&
    'addEventListener' in value &&
    typeof value.addEventListener === 'function',
  'not an AbortSignal',
);

const optionsSchema = z.object({
  target: z.string().optional(),
  strategy: strategySchema.optional(),
  interventions: interventionsSchema.optional(),
  signal: signal.optional(),
  onProgress: listener<NonNullable<RunOptions['onProgress']>>().optional(),
  onPartial: listener<NonNullable<RunOptions['onPartial']>>().optional(),
});

/** How a run is asked for if the strategy may be left open. */
export type CallOptions = RunOptions & Partial<Pick<RouteRequest, 'strategy' | 'interventions' | 'target'>>;

/** @throws GanderError `request-invalid` */
export function checkedText(text: string): string {
  return checked(z.string(), text, 'The text');
}

/** @throws GanderError `request-invalid` */
export function checkedOptions(options: CallOptions): CallOptions {
  return checked(optionsSchema, options, 'The options') as CallOptions;
}

function checked<T>(schema: z.ZodType<T>, given: unknown, what: string): T {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new GanderError(
    'request-invalid',
    `${what} cannot be understood: ${schemaProblem(parsed.error)}.`,
    'Change it to what docs/extension-api.md and docs/strategies.md allow.',
  );
}
