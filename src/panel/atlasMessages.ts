import { z } from 'zod';
import { ownNameSchema, unitSchema } from '../atlas/names.js';
import type { AtlasCalls, AtlasNotice } from '../atlas/protocol.js';
import { tableNames } from '../atlas/tables/index.js';
import { GanderError } from '../errors/errors.js';
import { buffer, drawing, drawn, log } from './messages.js';

const offset = z.int().min(0);
const text = z.string().max(100_000);
const cell = z.union([z.string().max(1000), z.number(), z.null()]);
const columns = ['stack', 'layer', 'router', 'expert', 'label', 'token', 'kind'] as const;

const calls = {
  rows: z.strictObject({
    table: z.enum(tableNames),
    where: z.strictObject(Object.fromEntries(columns.map((column) => [column, cell.exactOptional()]))),
  }),
  find: z.strictObject({ token: z.string().min(1).max(1000) }),
  text: z.strictObject({ text: z.string().max(10_000_000) }),
  similar: z.strictObject({ unit: unitSchema }),
  open: z.strictObject({
    document: text,
    sequence: z.union([z.literal(0), z.literal(1)]),
    start: offset,
    end: offset,
  }),
  name: ownNameSchema,
  save: z.union([
    z.strictObject({ kind: z.enum(['csv', 'svg', 'json', 'html', 'md']), name: text, data: drawn }),
    z.strictObject({ kind: z.literal('png'), name: text, data: buffer }),
    z.strictObject({ kind: z.literal('pdf'), name: text, data: drawing }),
  ]),
} satisfies { readonly [N in keyof AtlasCalls]: z.ZodType };

/** What the page asks for, checked. @throws GanderError `request-invalid` */
export function checkedCall<N extends keyof AtlasCalls>(name: N, request: unknown): AtlasCalls[N]['request'] {
  const parsed = Object.hasOwn(calls, name) ? calls[name].safeParse(request) : undefined;
  if (parsed?.success) return parsed.data;
  throw new GanderError(
    'request-invalid',
    'The page of the atlas asked for something that is not understood.',
    'Close the atlas and open it again.',
    { cause: parsed?.error },
  );
}

const notice = z.union([
  z.strictObject({ type: z.enum(['ready', 'compareExperts']) }),
  z.strictObject({ type: z.literal('copy'), text: drawn }),
  log,
]);

/** Undefined if it is none. */
export function parseNotice(data: unknown): AtlasNotice | undefined {
  return notice.safeParse(data).data;
}
