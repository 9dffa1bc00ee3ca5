/** names.json: the names and notes that people gave to an atlas's units. */
import { z } from 'zod';
import type { OwnName, UnitKey } from './protocol.js';

/** Characters. A name stands beside an expert's number; a note is what a person writes about it. */
export const [longestName, longestNote] = [200, 20_000];

const whole = z.int().min(0);

export const unitSchema = z.strictObject({
  stack: z.enum(['encoder', 'decoder']).nullable(),
  layer: whole.nullable(),
  expert: whole,
});

export const ownNameSchema = unitSchema.extend({
  name: z.string().max(longestName),
  note: z.string().max(longestNote),
});

const version = 1;

const fileSchema = z.object({
  format: z.literal('gander-atlas-names'),
  version: z.literal(version),
  names: z.array(z.object(ownNameSchema.shape)),
});

/** @throws SyntaxError, ZodError. @param json empty: no names yet */
export function parseNames(json: string): readonly OwnName[] {
  return json.trim() === '' ? [] : fileSchema.parse(JSON.parse(json)).names;
}

export function writtenNames(names: readonly OwnName[]): string {
  return `${JSON.stringify({ format: 'gander-atlas-names', version, names }, null, 2)}\n`;
}

/** With a unit's name and note in place of the earlier ones; if both are empty, without the unit. */
export function renamed(names: readonly OwnName[], given: OwnName): readonly OwnName[] {
  const others = names.filter((one) => placed(one) !== placed(given));
  if (given.name === '' && given.note === '') return others;
  return [...others, given].sort((a, b) => (placed(a) < placed(b) ? -1 : 1));
}

/** A unit as a string that sorts by layer and expert. */
function placed({ stack, layer, expert }: UnitKey): string {
  const padded = (n: number) => String(n).padStart(6, '0');
  return `${stack ?? ''} ${layer === null ? '' : padded(layer)} ${padded(expert)}`;
}
