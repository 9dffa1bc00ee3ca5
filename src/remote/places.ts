/** Where tokens are in a text, from what servers say about them. Offsets are UTF-16 code units; −1, −1: no text. */
import { joinedOffsets } from '../formats/joined.js';

/** The most UTF-16 units that a token may cover if they have to be searched for. */
const farthest = 64;

export interface Places {
  readonly start: Int32Array;
  readonly end: Int32Array;
}

/**
 * From pairs of offsets in characters. An empty pair is a token that the tokenizer added.
 * @returns undefined if they do not fit the text
 */
export function placesOfCharacters(pairs: readonly (readonly [number, number])[], text: string): Places | undefined {
  const units = unitsOf(text);
  const start = new Int32Array(pairs.length).fill(-1);
  const end = new Int32Array(pairs.length).fill(-1);
  for (const [t, [from, to]] of pairs.entries()) {
    const [a, b] = [units[from], units[to]];
    if (a === undefined || b === undefined || from > to) return undefined;
    if (from === to) continue;
    start[t] = a;
    end[t] = b;
  }
  return { start, end };
}

/** Joins the places in one text with those in another that follows it at `at`. */
export function joinedPlaces(first: Places | undefined, second: Places | undefined, at: number): Places | undefined {
  if (!first || !second) return undefined;
  return { start: joinedOffsets(first.start, second.start, at), end: joinedOffsets(first.end, second.end, at) };
}

/**
 * From all spellings but the first, which is unknown: the first token covers what the others leave of the text, if anything.
 * @returns undefined if the others do not make up the end of the text
 */
export function placesAfterFirst(spelled: readonly string[], text: string): Places | undefined {
  if (spelled.length === 0) return { start: Int32Array.of(0), end: Int32Array.of(text.length) };
  for (let begin = 0; begin < Math.min(text.length, farthest); begin++) {
    const rest = placesOfSpelling(spelled, text.slice(begin));
    if (!rest) continue;
    const none = Int32Array.of(-1);
    const first = begin === 0 ? { start: none, end: none } : { start: Int32Array.of(0), end: Int32Array.of(begin) };
    return joinedPlaces(first, rest, begin);
  }
  return undefined;
}

/** Where each character begins, and where the last one ends. */
function unitsOf(text: string): Int32Array {
  const units = new Int32Array(text.length + 1);
  let characters = 0;
  for (let at = 0; at < text.length; characters++) {
    units[characters] = at;
    at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  }
  units[characters] = text.length;
  return units.subarray(0, characters + 1);
}

/**
 * From the tokens' spellings, matched with the text one after another. A spelling may lack the white space before it, as in
 * vocabularies with a word mark. Tokens with part of a character either contain U+FFFD, and share the text up to the next whole
 * token, or are empty, and share the character that the next token completes. A token whose spelling is not found has no text.
 * @returns undefined if they do not make up the text
 */
export function placesOfSpelling(spelled: readonly string[], text: string): Places | undefined {
  const start = new Int32Array(spelled.length).fill(-1);
  const end = new Int32Array(spelled.length).fill(-1);
  let at = 0;
  for (let t = 0; t < spelled.length; t++) {
    if (isPart(spelled[t]!)) {
      const first = t;
      while (t + 1 < spelled.length && isPart(spelled[t + 1]!)) t++;
      const next = spelled[t + 1];
      const to = next === undefined ? text.length : nextOf(text, next, at);
      if (to > at) {
        start.fill(at, first, t + 1);
        end.fill(to, first, t + 1);
        at = to;
      }
      continue;
    }
    const length = lengthAt(text, spelled[t]!, at);
    if (length === 0) continue;
    start[t] = at;
    end[t] = at + length;
    const character = text.codePointAt(at)!;
    for (let part = t - 1; character > 0x7f && part >= 0 && spelled[part] === ''; part--) {
      start[part] = at;
      end[part] = at + (character > 0xffff ? 2 : 1);
    }
    at += length;
  }
  return text.slice(at).trim() === '' ? { start, end } : undefined;
}

const isPart = (spelling: string) => spelling.includes('\ufffd');

/** UTF-16 units that the spelling covers at `at`, including white space before it; 0 if it is not there. */
function lengthAt(text: string, spelling: string, at: number): number {
  if (spelling === '') return 0;
  if (text.startsWith(spelling, at)) return spelling.length;
  const white = /\s*/y;
  white.lastIndex = at;
  const skipped = white.exec(text)![0].length;
  const word = spelling.trimStart();
  return word !== '' && text.startsWith(word, at + skipped) ? skipped + word.length : 0;
}

function nextOf(text: string, spelling: string, at: number): number {
  const found = spelling === '' ? -1 : text.slice(at, at + farthest + spelling.length).indexOf(spelling, 1);
  return found < 0 ? at : at + found;
}
