/** What may be asked of a run, checked wherever it comes from: another extension, the page, another process. */
import { z } from 'zod';
import type { RouteRequest, RunOptions } from './api.js';
import type { RequestOf } from './ask.js';
import type { RequestName } from './table.js';
import { GanderError } from '../errors/errors.js';
import { schemaProblem } from '../checks/schemaWords.js';
import { strategySchema } from '../strategies/schema.js';
import type { Intervention } from '../trace/model/trace.js';

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
      z
        .tuple([index, index])
        .refine(([from, to]) => from < to, 'a range of tokens has its first, and past it where it ends'),
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

/** Of tokens, in all what-ifs of a run together. */
const mostRanges = 2 ** 15;

export const interventionsSchema = z
  .array(intervention)
  .max(10_000)
  .refine(
    (all) => all.reduce((sum, { scope: { tokens = [] } }) => sum + tokens.length, 0) <= mostRanges,
    `what-ifs name at most ${mostRanges} ranges of tokens together`,
  );

const poolSchema = z.object({ tried: z.string().min(1).optional() });

const routeSchema = poolSchema.extend({
  text: z.string(),
  target: z.string().optional(),
  maxTokens: z.int().min(0).optional(),
  strategy: strategySchema.optional(),
  interventions: interventionsSchema.optional(),
});

/** Of each request that the table has. */
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
export function checkedRequest<N extends RequestName>(name: N, request: RequestOf<N>): RequestOf<N> {
  return checked(schemas[name], request, 'The request') as RequestOf<N>;
}

const listener = <F>() => z.custom<F>((value) => typeof value === 'function', 'no function');
/** Not by instanceof: the signal may come from another realm. */
const signal = z.custom<AbortSignal>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    'aborted' in value &&
    'addEventListener' in value &&
    typeof value.addEventListener === 'function',
  'no AbortSignal',
);

const optionsSchema = z.object({
  target: z.string().optional(),
  strategy: strategySchema.optional(),
  interventions: interventionsSchema.optional(),
  signal: signal.optional(),
  onProgress: listener<NonNullable<RunOptions['onProgress']>>().optional(),
  onPartial: listener<NonNullable<RunOptions['onPartial']>>().optional(),
});

/** How a run is asked for where the strategy may be left open. */
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
