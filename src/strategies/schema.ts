/** Checks of strategies that come from outside. */
import { z } from 'zod';
import { all } from './all.js';
import type { Strategy } from './strategy.js';

const k = z.int().min(1).max(10_000);
const expert = z.string().min(1).max(500);

/** A strategy with what it takes, and nothing else. */
export const strategySchema: z.ZodType<Strategy> = z.union(
  all.map(({ name, takes, finds }) =>
    z.strictObject({
      name: z.literal(name),
      ...(takes === 'k' && { k }),
      ...(takes === 'expert' && { expert }),
      ...(finds && { expert: expert.exactOptional() }),
    }),
  ),
) as z.ZodType<Strategy>;
