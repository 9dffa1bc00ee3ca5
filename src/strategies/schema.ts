/** Checks strategies that come from outside. */
import { z } from 'zod';
import { all } from './all.js';
import { nativeRouter } from './native.js';
import type { Strategy } from './strategy.js';

/** A k above the number of experts means all of them. */
const k = z.int().min(1);
const expert = z.string().min(1).max(500);

const schemas = all.map(({ name, takes, finds }) =>
  z.strictObject({
    name: z.literal(name),
    ...(takes === 'k' && { k }),
    ...(takes === 'expert' && { expert }),
    ...(finds && { expert: expert.exactOptional() }),
  }),
);
const nativeSchema = z.strictObject({ name: z.literal(nativeRouter.name), k });

/** A strategy with its arguments, and nothing else. */
export const strategySchema = z.discriminatedUnion('name', [...schemas, nativeSchema] as unknown as [
  z.ZodObject,
  ...z.ZodObject[],
]) as unknown as z.ZodType<Strategy>;
