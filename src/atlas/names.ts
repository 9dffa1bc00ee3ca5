/** names.json: the names and notes that people gave to an atlas's units. */
import { z } from 'zod';
import type { OwnName, UnitKey } from './protocol.js';

/** Characters. A name stands beside an expert's number; a note is what a person writes about it. */
export const [longestName, longestNote] = [200, 20_000];

const whole = z.int().min(0);

export const unitSchema = z.strictObject({
  stack: z.enum(['encoder', 'decoder']).nullable(),
  layer: whole.nullable(),
  router: z.string().max(longestName).nullable().default(null),
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
  const given = all.flatMap(({ atlas, names }) => names.map((one) => ({ atlas, one })));
  const units = new Map(
    given.map(({ one: { name: _, note: __, ...unit } }): [string, UnitKey] => [placed(unit), unit]),
  );
  const merged = [...units].map(([key, unit]) => {
    const own = given.filter(({ one }) => placed(one) === key);
    const named = own.filter(({ one }) => one.name !== '').map(({ atlas, one: { name } }) => ({ atlas, name }));
    const [kept = { atlas: '', name: '' }] = named;
    const notes = new Set(own.map(({ one }) => one.note).filter((note) => note !== ''));
    return {
      name: { ...unit, name: kept.name, note: [...notes].join('\n\n').slice(0, longestNote) },
      others: named.filter(({ name }) => name !== kept.name).map((other) => ({ unit, kept, other })),
    };
  });
  return { names: merged.map(({ name }) => name).sort(byPlace), others: merged.flatMap(({ others }) => others) };
}

const byPlace = (a: UnitKey, b: UnitKey) => (placed(a) < placed(b) ? -1 : 1);

/** A unit as a string that sorts by layer and expert. */
function placed({ stack, layer, router, expert }: UnitKey): string {
  const padded = (n: number) => String(n).padStart(6, '0');
  return `${stack ?? ''} ${layer === null ? '' : padded(layer)} ${router ?? ''} ${padded(expert)}`;
}
