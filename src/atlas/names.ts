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
  return [...others, given].sort(byPlace);
}

/** One atlas's names. */
export interface NamesOf {
  readonly atlas: string;
  readonly names: readonly OwnName[];
}

/** A name that was not taken, because an earlier atlas calls the unit otherwise. */
export interface OtherName {
  readonly unit: UnitKey;
  readonly kept: { readonly atlas: string; readonly name: string };
  readonly other: { readonly atlas: string; readonly name: string };
}

/** Of each unit the first name, and all notes, one after the other. */
export function mergedNames(all: readonly NamesOf[]): {
  readonly names: readonly OwnName[];
  readonly others: readonly OtherName[];
} {
  const found = new Map<string, { readonly one: OwnName; readonly atlas: string }>();
  const others: OtherName[] = [];
  for (const { atlas, names } of all)
    for (const given of names) {
      const known = found.get(placed(given));
      const one = known ? together(known.one, given) : given;
      found.set(placed(given), { one, atlas: known?.one.name ? known.atlas : atlas });
      if (known?.one.name && given.name && given.name !== known.one.name) {
        const { stack, layer, expert, name } = given;
        const kept = { atlas: known.atlas, name: known.one.name };
        others.push({ unit: { stack, layer, expert }, kept, other: { atlas, name } });
      }
    }
  return { names: [...found.values()].map(({ one }) => one).sort(byPlace), others };
}

function together(first: OwnName, second: OwnName): OwnName {
  const notes = [...new Set([first.note, second.note])].filter((note) => note !== '');
  return { ...first, name: first.name || second.name, note: notes.join('\n\n').slice(0, longestNote) };
}

const byPlace = (a: UnitKey, b: UnitKey) => (placed(a) < placed(b) ? -1 : 1);

/** A unit as a string that sorts by layer and expert. */
function placed({ stack, layer, expert }: UnitKey): string {
  const padded = (n: number) => String(n).padStart(6, '0');
  return `${stack ?? ''} ${layer === null ? '' : padded(layer)} ${padded(expert)}`;
}
