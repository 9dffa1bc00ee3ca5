/**
 * The model that the servers of these tests run. The text of ../fixtures/imports is routed as a tiny random Mixtral routed it in
 * transformers; in any other text, words are tokens, and their ids decide their experts.
 */
import expected from '../fixtures/imports/expected.json' with { type: 'json' };

/** The text of ../fixtures/imports/text.txt. */
export const knownText = 'def add(a, b): 🪿';
export const layers = 2;
export const experts = 8;
export const k = 2;

export interface Run {
  readonly prompt: readonly number[];
  readonly written: readonly number[];
  /** The spelling of all tokens; U+FFFD for part of a character. */
  readonly spelled: readonly string[];
  /** The written text. */
  readonly more: string;
  /** Of the prompt's tokens, in characters; [0, 0] for one that the tokenizer added. */
  readonly offsets: readonly (readonly [number, number])[];
  /** [rows][layers][k]: the last token was not run. */
  readonly chosen: readonly (readonly (readonly number[])[])[];
}

export function run(text: string, count: number): Run {
  const prompt = text === knownText ? knownPrompt() : promptOf(text);
  const more = text === knownText ? knownMore() : [];
  const written = Array.from({ length: count }, (_, i) => more[i] ?? { id: 300 + (i % 20), spelled: ` w${i % 20}` });
  const all = [...prompt, ...written];
  return {
    prompt: prompt.map(({ id }) => id),
    written: written.map(({ id }) => id),
    spelled: all.map(({ spelled }) => spelled),
    more: written.map(({ spelled }) => spelled).join(''),
    offsets: prompt.map(({ at }) => at),
    chosen: all.slice(0, -1).map(({ id }, t) => Array.from({ length: layers }, (_, l) => choice(text, t, l, id))),
  };
}

/** The natural log-probability of a token in its place. */
export function logProbOf(id: number): number {
  return -1 - (id % 7) / 10;
}

/** The likeliest tokens in its place. */
export function insteadOf(id: number, count: number): { readonly id: number; readonly logProb: number }[] {
  return Array.from({ length: count }, (_, i) => ({ id: (id + 1 + i) % 320, logProb: -0.5 - i / 10 }));
}

/** The text of a token. */
export const spell = (id: number) => ` t${id}`;

interface Piece {
  readonly id: number;
  readonly spelled: string;
}

type Placed = Piece & { readonly at: readonly [number, number] };

function knownPrompt(): Placed[] {
  let at = 0;
  const characters = Array.from(knownText).length;
  return expected.ids.slice(0, expected.prompt).map((id, t) => {
    const spelled = expected.spelled[t]!;
    if (t === 0) return { id, spelled, at: [0, 0] };
    // Bytes of the one emoji, which is the last character.
    if (spelled === '\ufffd') return { id, spelled, at: [characters - 1, characters] };
    const from = at;
    at += Array.from(spelled).length;
    return { id, spelled, at: [from, at] };
  });
}

function knownMore(): Piece[] {
  // Bytes that are not a character: decoded together, they give U+FFFD.
  return expected.ids.slice(expected.prompt).map((id) => ({ id, spelled: '\ufffd' }));
}

function promptOf(text: string): Placed[] {
  let at = 0;
  const pieces = (text.match(/ ?[\p{L}\p{N}]+|[^\p{L}\p{N}]/gu) ?? []).map((spelled): Placed => {
    const from = at;
    at += Array.from(spelled).length;
    return { id: 2 + (hash(spelled) % 290), spelled, at: [from, at] };
  });
  return [{ id: 1, spelled: '<s>', at: [0, 0] }, ...pieces];
}

function choice(text: string, token: number, layer: number, id: number): readonly number[] {
  if (text === knownText && token < expected.ids.length) return expected.chosen[layer]![token]!;
  const first = (id * 7 + layer * 3) % experts;
  return [first, (first + 1 + (id % (experts - 1))) % experts];
}

function hash(text: string): number {
  return Array.from(text).reduce((sum, c) => (sum * 31 + c.codePointAt(0)!) % 1_000_003, 7);
}
