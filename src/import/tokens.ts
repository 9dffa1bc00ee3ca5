/** The tokens of an imported text, from the file, and from the text and the tokenizer if the person names these. */
import { GanderError } from '../errors/errors.js';
import type { Tokens } from '../trace/model/trace.js';
import type { Routing } from './reader.js';

/** A tokenizer, as far as it is needed here. */
export interface Vocabulary {
  encode(text: string): Promise<Required<Tokens>>;
  /** One token as a person reads it. */
  readable(id: number): string;
}

export interface Named {
  readonly text?: string;
  readonly vocabulary?: Vocabulary;
}

export interface ReadTokens {
  readonly tokens: Tokens;
  readonly text?: string;
  readonly warnings: readonly string[];
}

/** @throws GanderError `import-invalid` if the text is not the one that was routed */
export async function tokensOf(routing: Routing, { text, vocabulary }: Named): Promise<ReadTokens> {
  const { tokens: count, ids, spelled } = routing;
  const asFound = { count, ...(ids && { ids }), ...(spelled && { text: spelled }) };
  if (text !== undefined && vocabulary)
    return { text, tokens: beside(routing, await vocabulary.encode(text), vocabulary), warnings: [] };
  if (text !== undefined)
    throw otherText('it is not known where each token is', 'Name the model’s tokenizer.json, too.');
  if (!vocabulary) return { tokens: asFound, warnings: [] };
  if (!ids)
    return {
      tokens: asFound,
      warnings: ['It has no token ids for the tokenizer: name the text that was routed, too.'],
    };
  return { tokens: { ...asFound, text: spell(ids, vocabulary) }, warnings: [] };
}

function spell(ids: Int32Array, vocabulary: Vocabulary): string[] {
  return Array.from(ids, (id) => (id < 0 ? '' : vocabulary.readable(id)));
}

/** The text's tokens come first; further tokens in the file were generated. A file may say nothing about the last token. */
function beside({ tokens: rows, ids }: Routing, given: Required<Tokens>, vocabulary: Vocabulary): Tokens {
  if (given.count > rows + (ids ? 0 : 1))
    throw otherText(`the text has ${given.count} tokens, but the file has ${rows}`);
  const count = Math.max(rows, given.count);
  const padded = (column: Int32Array) => {
    const out = new Int32Array(count).fill(-1);
    out.set(column);
    return out;
  };
  const all = padded(ids ?? given.ids);
  for (let t = 0; t < given.count; t++)
    if (all[t] !== given.ids[t])
      throw otherText(`token ${t} of the text is ${given.ids[t]!}, but that of the file is ${all[t]!}`);
  const special = new Uint8Array(count);
  special.set(given.special);
  return {
    count,
    ids: all,
    start: padded(given.start),
    end: padded(given.end),
    special,
    text: [...given.text, ...spell(all.subarray(given.count), vocabulary)],
  };
}

function otherText(
  what: string,
  remedy = 'Name the text exactly as it was routed, and the model’s own tokenizer.json.',
) {
  return new GanderError('import-invalid', `The text does not fit the file: ${what}.`, remedy);
}
