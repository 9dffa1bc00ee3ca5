/** What may be asked of a run, checked wherever it comes from: another extension, the page, another process. */
import { z } from 'zod';
import type { AttributeRequest, GenerateRequest, LensRequest, PoolRequest, RouteRequest, RunOptions } from './api.js';
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
  z.strictObject({ action: z.literal('tilt'), expert: name, amount: z.number(), scope }),
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

const generationSchema = z.object({
  maxTokens: z.int().min(0),
  temperature: z.number().min(0).optional(),
  topP: z.number().gt(0).max(1).optional(),
  seed: z.number().optional(),
});

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

/** @throws GanderError `request-invalid` */
export function checkedRoute(request: RouteRequest): RouteRequest {
  return checked(routeSchema, request, 'The request') as RouteRequest;
}

/** @throws GanderError `request-invalid` */
export function checkedPool(request: PoolRequest): PoolRequest {
  return checked(poolSchema, request, 'The request') as PoolRequest;
}

/** @throws GanderError `request-invalid` */
export function checkedGenerate(request: GenerateRequest): GenerateRequest {
  const route = checkedRoute(request);
  const generation = generationSchema.safeParse(request);
  if (generation.success) return { ...route, ...generation.data } as GenerateRequest;
  throw new GanderError(
    'request-invalid',
    'maxTokens must be a whole number from 0, temperature at least 0, topP above 0 and at most 1, seed a number.',
    'Change the options of the generation.',
  );
}

const attributionSchema = z.object({
  layer: index.optional(),
  most: z.int().min(1).max(1024).optional(),
});

/** @throws GanderError `request-invalid` */
export function checkedAttribute(request: AttributeRequest): AttributeRequest {
  return { ...checkedRoute(request), ...checked(attributionSchema, request, 'The attribution') } as AttributeRequest;
}

/** @throws GanderError `request-invalid` */
export function checkedLens(request: LensRequest): LensRequest {
  return { ...checkedRoute(request), ...checked(z.object({ token: index }), request, 'The lens') };
}

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
