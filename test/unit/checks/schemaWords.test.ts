import { expect, it } from 'vitest';
import { z } from 'zod';
import { schemaProblem } from '../../../src/checks/schemaWords.js';

it.each<[z.ZodType, unknown, string]>([
  [z.object({ a: z.int() }), {}, '"a" is missing'],
  [z.object({ a: z.int() }), { a: 1.5 }, '"a" must be a whole number'],
  [z.object({ a: z.int() }), { a: null }, '"a" must be a number'],
  [z.object({ a: z.int() }), { a: 1e300 }, '"a" must be at most 9007199254740991'],
  [z.object({ a: z.number().gt(0) }), { a: 0 }, '"a" must be more than 0'],
  [z.object({ a: z.number().min(1) }), { a: 0 }, '"a" must be at least 1'],
  [z.object({ a: z.array(z.string()) }), { a: [3] }, '"a.0" must be a text'],
  [z.object({ a: z.array(z.string()).max(0) }), { a: ['x'] }, '"a" must have at most 0 entries'],
  [z.object({ a: z.string().min(1) }), { a: '' }, '"a" must not be empty'],
  [z.object({ a: z.string().max(2) }), { a: 'abc' }, '"a" must be at most 2 characters long'],
  [z.object({ a: z.record(z.string(), z.number()) }), { a: [] }, '"a" must be an object'],
  [z.object({}), null, 'it must be an object'],
  [z.enum(['a', 'b']), 'c', 'it must be "a" or "b"'],
  [z.strictObject({}), { b: 1 }, 'it must not have "b"'],
  [z.union([z.string(), z.number()]), [], 'it has none of the allowed forms'],
  [z.discriminatedUnion('n', [z.object({ n: z.literal(1) })]), { n: 2 }, '"n" has none of the allowed forms'],
  [z.object({ f: z.custom((value) => typeof value === 'function', 'no function') }), { f: 1 }, '"f" is no function'],
])('%#', (schema, value, words) => {
  expect(schemaProblem(schema.safeParse(value).error!)).toBe(words);
});
