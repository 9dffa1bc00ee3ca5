import { z } from 'zod';
import { unitSchema } from '../atlas/names.js';
import type { PageMessage } from '../protocol/panel.js';
import { interventionsSchema as interventions } from '../requests/schemas.js';
import { runRequestNames } from '../requests/table.js';
import { strategySchema as strategy } from '../strategies/schema.js';
import { colourings, overlays } from '../trace/figures/colouring.js';

const index = z.int().min(0);
const name = z.string().min(1).max(500);
const side = z.enum(['main', 'other']);

/** Not by instanceof: the buffer may come from another realm. */
export const buffer = z.custom<ArrayBuffer>(
  (value) => Object.prototype.toString.call(value) === '[object ArrayBuffer]',
);

/** Larger than any picture or report that the page makes of a trace that the model can read. */
export const drawn = z.string().max(256 * 1024 * 1024);

/** In points. Twice as long as the longest page that PDF allows is still finite. */
const points = z.number().min(-30_000).max(30_000);
const colour = z.string().regex(/^#[0-9a-f]{6}$/);
const words = z.string().max(10_000);

const mark = z.discriminatedUnion('is', [
  z.strictObject({
    is: z.literal('rect'),
    x: points,
    y: points,
    width: points,
    height: points,
    fill: colour,
    title: words.exactOptional(),
  }),
  z.strictObject({
    is: z.literal('line'),
    points: z.array(points).min(2).max(1_000_000),
    stroke: colour,
    width: points,
    isDashed: z.boolean().exactOptional(),
  }),
  z.strictObject({
    is: z.literal('text'),
    x: points,
    y: points,
    text: words,
    fill: colour,
    anchor: z.enum(['start', 'middle', 'end']),
    isTurned: z.boolean().exactOptional(),
    isBold: z.boolean().exactOptional(),
  }),
]);

export const drawing = z.strictObject({
  title: words,
  width: points.positive(),
  height: points.positive(),
  background: colour,
  marks: z.array(mark).max(2_000_000),
});

export const log = z.strictObject({
  type: z.literal('log'),
  level: z.enum(['info', 'error']),
  text: z.string().max(100_000),
});

const textColour = z.strictObject({
  by: z.enum(colourings),
  layer: z.string().max(100),
  over: z.enum(overlays),
  passed: z.boolean(),
});

const message = z.union([
  z.strictObject({ type: z.literal('ready') }),
  z.strictObject({
    type: z.literal('select'),
    token: index,
    end: index.exactOptional(),
    sequence: index.exactOptional(),
  }),
  z.strictObject({ type: z.literal('reveal'), line: index }),
  z.strictObject({ type: z.literal('route'), side, strategy, interventions }),
  z.strictObject({ type: z.literal('again') }),
  z.strictObject({ type: z.literal('firstPart') }),
  z.strictObject({ type: z.literal('attribute') }),
  z.strictObject({ type: z.literal('lens'), token: index }),
  z.strictObject({
    type: z.literal('generate'),
    maxTokens: z.int().min(1).max(100_000),
    temperature: z.number().min(0).max(100),
    seed: z.int(),
  }),
  z.strictObject({ type: z.literal('stop') }),
  z.strictObject({ type: z.literal('insert') }),
  z.strictObject({ type: z.literal('compare'), strategy, interventions, selection: z.enum(['same', 'editor']) }),
  z.strictObject({ type: z.literal('closeCompare') }),
  z.strictObject({ type: z.literal('save'), kind: z.literal('trace') }),
  z.strictObject({
    type: z.literal('save'),
    kind: z.enum(['csv', 'svg', 'html', 'json']),
    data: drawn,
    name: name.exactOptional(),
  }),
  z.strictObject({ type: z.literal('save'), kind: z.literal('png'), data: buffer, name: name.exactOptional() }),
  z.strictObject({ type: z.literal('save'), kind: z.literal('pdf'), data: drawing, name: name.exactOptional() }),
  z.strictObject({ type: z.literal('copy'), text: drawn }),
  textColour.extend({ type: z.literal('colour') }),
  z.strictObject({ type: z.literal('overlay'), by: z.enum(overlays) }),
  z.strictObject({ type: z.literal('pin'), is: z.boolean() }),
  z.strictObject({ type: z.literal('history') }),
  z.strictObject({ type: z.literal('openCard'), expert: name }),
  // `more` is checked where the request is answered.
  z.strictObject({ type: z.literal('ask'), name: z.enum(runRequestNames), more: z.record(z.string(), z.unknown()) }),
  z.strictObject({
    type: z.literal('unit'),
    unit: unitSchema,
  }),
  log,
]);

/** A message from the page, or why it is not one. */
export function parsePageMessage(data: unknown): PageMessage | { readonly type: 'invalid'; readonly reason: string } {
  const parsed = message.safeParse(data);
  return parsed.success ? parsed.data : { type: 'invalid', reason: z.prettifyError(parsed.error) };
}

/** What a panel needs to be restored: which text of which document, and how it was run. */
const memorySchema = z.strictObject({
  uri: z.string(),
  start: index,
  end: index,
  target: z.string().exactOptional(),
  strategy,
  interventions,
  pinned: z.boolean(),
  /** What it was compared with, if the same model ran that; its text only if it is another. */
  other: z
    .strictObject({ title: z.string(), text: z.string().exactOptional(), strategy, interventions })
    .exactOptional(),
  colour: textColour.exactOptional(),
});

export type PanelMemory = z.infer<typeof memorySchema>;

/** `state` is what the page kept. Undefined if it contains nothing usable. */
export function parseMemory(state: unknown): PanelMemory | undefined {
  const kept = z.object({ memory: z.string() }).safeParse(state);
  if (!kept.success) return undefined;
  try {
    return memorySchema.safeParse(JSON.parse(kept.data.memory)).data;
  } catch {
    return undefined;
  }
}
