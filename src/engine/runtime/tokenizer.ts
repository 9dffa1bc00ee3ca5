import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { Tokenizer as HubTokenizer } from 'tokenizers';
import { GanderError } from '../../errors/errors.js';
import { joined, joinedOffsets } from '../../formats/joined.js';
import { poolLimits } from '../../checks/limits.js';
import { tokenizerProblem } from './tokenizerFile.js';
import type { Tokens } from '../../trace/model/trace.js';

/**
 * Tokens of a known text. Offsets are those in the text as it was given; −1 for a special token, which the tokenizer added
 * or a model generated.
 */
export type TextTokens = Required<Tokens>;

/** A tokenizer's tokens as a trace has them. */
export function textTokens({ ids, start, end, text }: Pick<TextTokens, 'ids' | 'start' | 'end' | 'text'>): TextTokens {
  const special = Uint8Array.from(start, (offset) => (offset < 0 ? 1 : 0));
  return { count: ids.length, ids, start, end, special, text };
}

/** Tokens of a text and of what was generated after it. @param at where the second begins */
export function joinedTokens(first: TextTokens, second: TextTokens, at: number): TextTokens {
  return textTokens({
    ids: joined(first.ids, second.ids),
    start: joinedOffsets(first.start, second.start, at),
    end: joinedOffsets(first.end, second.end, at),
    text: first.text.concat(second.text),
  });
}

/**
 * Text to ids and back, with offsets as an editor counts them: in UTF-16 units of the original text.
 *
 * Hugging Face's Rust library counts code points of the original text (even if a normaliser changes lengths). If a character
 * is split into several byte tokens, each of them covers the whole character: a selection cannot begin inside one. A lone
 * surrogate reaches the model as U+FFFD, which is as long, so offsets stay correct.
 */
export class Tokenizer {
  readonly #tokenizer: HubTokenizer;
  readonly #byteLevel: boolean;
  readonly #readable = new Map<number, string>();
  #longestToken: number | undefined;

  /** @throws GanderError `tokenizer-invalid` */
  constructor(file: string) {
    try {
      if (statSync(file).size > poolLimits.tokenizer) throw new Error('the file is too large');
      const json = readFileSync(file, 'utf8');
      this.#byteLevel = /"type":\s*"ByteLevel"/.test(json);
      this.#tokenizer = HubTokenizer.fromString(json);
      const problem = tokenizerProblem(JSON.parse(json));
      if (problem !== undefined) throw new Error(`in ${path.basename(file)}, ${problem}.`);
      // A length stored with the tokenizer would cut text silently; Gander refuses a text that is too long instead.
      this.#tokenizer.disableTruncation();
      this.#tokenizer.disablePadding();
    } catch (cause) {
      throw invalid('cannot be read', cause);
    }
  }

  /** Rejects with a GanderError `tokenizer-invalid` if the tokenizer has no token for something in the text. */
  async encode(text: string): Promise<TextTokens> {
    const encoding = await this.#tokenizer.encode(text).catch((cause: unknown) => {
      throw invalid('cannot take this text', cause);
    });
    const ids = Int32Array.from(encoding.getIds());
    const special = encoding.getSpecialTokensMask();
    const units = unitsOfCodePoints(text);
    const start = new Int32Array(ids.length);
    const end = new Int32Array(ids.length);
    encoding.getOffsets().forEach(([from, to], i) => {
      const [first, last] = units ? [units[from!]!, units[to!]!] : [from!, to!];
      const isNone = special[i] === 1 || this.#isAdded(ids[i]!, text.slice(first, last));
      start[i] = isNone ? -1 : first;
      end[i] = isNone ? -1 : last;
    });
    return textTokens({ ids, start, end, text: Array.from(ids, (id) => this.readable(id)) });
  }

  /** Whether a token marks a space that the tokenizer added and the text does not have: it stands for no text. */
  #isAdded(id: number, covered: string): boolean {
    return !/[\s▁]/.test(covered) && this.#tokenizer.idToToken(id) === '▁';
  }

  /** The text of some ids. Rejects with a GanderError `tokenizer-invalid`. */
  async decode(ids: ArrayLike<number>): Promise<string> {
    return this.#tokenizer.decode(Array.from(ids), true).catch((cause: unknown) => {
      throw invalid('cannot spell its tokens', cause);
    });
  }

  /** Whether it stands for a single byte, of text that the vocabulary has no other entry for. */
  isByte(id: number): boolean {
    return /^<0x[\da-f]{2}>$/i.test(this.#tokenizer.idToToken(id) ?? '');
  }

  /**
   * UTF-16 units of the vocabulary's longest entry, which gives a bound: n units of text make at least n ÷ longestToken tokens.
   *
   * Proof, for a tokenizer that can spell any text (byte-level, or with byte fallback): every unit of the text is in some token,
   * and no token covers more units than its entry has. An entry is as long as its text, or has one symbol per byte, and no text
   * has fewer bytes in UTF-8 than units in UTF-16. A tokenizer that drops or merges what it does not know can go below the
   * bound, but only with a text of which nearly all is lost.
   */
  get longestToken(): number {
    return (this.#longestToken ??= Object.keys(this.#tokenizer.getVocab(true)).reduce(
      (most, { length }) => Math.max(most, length),
      1,
    ));
  }

  idOf(token: string): number | undefined {
    return this.#tokenizer.tokenToId(token) ?? undefined;
  }

  /** One token as a person reads it: a space for `Ġ` or `▁`; bytes that are not text by themselves as `\xf0`. */
  readable(id: number): string {
    let text = this.#readable.get(id);
    if (text === undefined) {
      const token = this.#tokenizer.idToToken(id) ?? '';
      text = this.#byteLevel ? readableBytes(token) : token.replaceAll('▁', ' ');
      this.#readable.set(id, text);
    }
    return text;
  }
}

function invalid(what: string, cause: unknown): GanderError {
  return new GanderError(
    'tokenizer-invalid',
    `The tokenizer ${what}: ${cause instanceof Error ? cause.message : String(cause)}`,
    'Fetch the pool again, or save the tokenizer again with the tokenizers library.',
    { cause },
  );
}

/** The UTF-16 offset of each code point and of the end; undefined if both counts are the same. */
function unitsOfCodePoints(text: string): Int32Array | undefined {
  if (!/[\ud800-\udbff][\udc00-\udfff]/.test(text)) return undefined;
  const units = new Int32Array(text.length + 1);
  let points = 0;
  let unit = 0;
  for (const character of text) {
    units[points++] = unit;
    unit += character.length;
  }
  units[points] = unit;
  return units.subarray(0, points + 1);
}

let byteOfSymbol: Map<string, number> | undefined;

/** GPT-2's printable stand-ins, one for each byte. */
function byteSymbols(): Map<string, number> {
  if (byteOfSymbol) return byteOfSymbol;
  byteOfSymbol = new Map();
  let moved = 0;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    byteOfSymbol.set(String.fromCharCode(printable ? byte : 256 + moved++), byte);
  }
  return byteOfSymbol;
}

function readableBytes(token: string): string {
  const symbols = byteSymbols();
  const bytes = Array.from(token, (symbol) => symbols.get(symbol));
  // A token that was added to the vocabulary is spelt literally.
  if (bytes.some((byte) => byte === undefined)) return token;
  const raw = Uint8Array.from(bytes as number[]);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw);
  } catch {
    return Array.from(raw, (byte) =>
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`,
    ).join('');
  }
}
