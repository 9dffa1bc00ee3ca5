/** Text that a model writes, decoded a few tokens at a time, compared with decoding all tokens together. */
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Continuation } from '../../src/engine/runtime/continuation.js';
import { Tokenizer } from '../../src/engine/runtime/tokenizer.js';
import { random } from '../../src/statistics/random.js';
import { root, temporaryFolder, tinyPool } from './support.js';

const shipped = path.join(root, 'models/smollm2-135m/base/tokenizer.json');

const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
const letters = Array.from('▁abcdefghijklmnopqrstuvwxyz.,\n');

/** Like Llama's: a word contains its space, the first space is dropped, and what has no entry is spelled in bytes. */
function llamaLike(): string {
  const vocab = Object.fromEntries(['<unk>', ...bytes, ...letters].map((token, id) => [token, id]));
  return written({
    model: { type: 'BPE', vocab, merges: [], unk_token: '<unk>', byte_fallback: true, fuse_unk: true },
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
  });
}

/** Like BERT's: spaces come between words, but not before the first. */
function bertLike(): string {
  const vocab = Object.fromEntries(
    ['[UNK]', ...Array.from('abcde.,'), ...Array.from('abcde').map((letter) => `##${letter}`)].map((token, id) => [
      token,
      id,
    ]),
  );
  return written({
    model: {
      type: 'WordPiece',
      vocab,
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 99,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  });
}

function written(parts: object): string {
  const file = path.join(temporaryFolder(), 'tokenizer.json');
  writeFileSync(file, JSON.stringify({ version: '1.0', added_tokens: [], post_processor: null, ...parts }));
  return file;
}

/** The definition: every prefix is decoded as a whole, and each token's offsets are found in the full text. */
async function whole(tokenizer: Tokenizer, ids: readonly number[]) {
  const prefixes: string[] = [];
  for (let i = 1; i <= ids.length; i++) prefixes.push(await tokenizer.decode(ids.slice(0, i)));
  const text = prefixes.at(-1) ?? '';
  const reached = prefixes.map((prefix) => {
    let length = 0;
    while (length < prefix.length && prefix[length] === text[length]) length++;
    const splits = length > 0 && length < text.length && /[\ud800-\udbff]/.test(text[length - 1]!);
    return splits ? length - 1 : length;
  });
  const alone = await Promise.all(ids.map((id) => tokenizer.decode([id])));
  const places = prefixes.map((prefix, i) => {
    const isPart = prefix.endsWith('\ufffd') && alone[i] !== '';
    const from = i === 0 ? 0 : reached[i - 1]!;
    const to = reached.slice(i).find((r) => r > from);
    const isSilent = prefix === (prefixes[i - 1] ?? '') && !isPart;
    return isSilent || to === undefined ? [-1, -1] : [from, to];
  });
  return { text, start: places.map(([start]) => start), end: places.map(([, end]) => end) };
}

async function inParts(tokenizer: Tokenizer, ids: readonly number[]) {
  const continuation = new Continuation(tokenizer);
  for (const id of ids) await continuation.add(id);
  const { start, end } = continuation.tokens();
  return { text: continuation.text, start: [...start], end: [...end] };
}

const sentence = 'A swan 🦢 flies, 漢字を読む; "naïve" café\u0301 👩\u200d🔬!\n\n\tif (x) { return 42 } العربية  ';
const plain = 'the swan flies. it is late, and so on\n';

const tokenizers: Record<string, () => string> = {
  'of the tiny pool': () => path.join(tinyPool, 'base/tokenizer.json'),
  ...(existsSync(shipped) && { 'that ships': () => shipped }),
  'like Llama’s': llamaLike,
  'like BERT’s': bertLike,
};

describe.each(Object.entries(tokenizers))('a tokenizer %s', (name, make) => {
  it('gives the same text and places, after each token', { timeout: 60_000 }, async () => {
    const tokenizer = new Tokenizer(make());
    const given = name.includes('BERT') ? 'a bad cab, a bed. ' : `${sentence}${plain}`;
    const ids = [...(await tokenizer.encode(given.repeat(3))).ids];
    const continuation = new Continuation(tokenizer);
    for (const [i, id] of ids.entries()) {
      await continuation.add(id);
      // Checking every one of a few hundred prefixes would take too long.
      if (i % 7 !== 0 && i !== ids.length - 1) continue;
      const wanted = await whole(tokenizer, ids.slice(0, i + 1));
      const { start, end } = continuation.tokens();
      expect({ text: continuation.text, start: [...start], end: [...end] }).toEqual(wanted);
    }
  });

  it.skipIf(name.includes('BERT'))('gives each token of one character the whole of it', async () => {
    const tokenizer = new Tokenizer(make());
    const { text, start, end } = await inParts(tokenizer, [...(await tokenizer.encode('𝄞')).ids]);
    const at = text.indexOf('𝄞');
    const own = start.map((from, i) => [from, end[i]]).filter(([, to]) => to! > at);
    expect(own.length).toBeGreaterThan(2);
    for (const place of own) expect(place).toEqual([at, at + 2]);
    expect(start.slice(-own.length)).not.toContain(-1);
  });

  it('gives the same for tokens in random order', { timeout: 60_000 }, async () => {
    const tokenizer = new Tokenizer(make());
    const pool = [...new Set((await tokenizer.encode(`${sentence}${plain} a bad cab, a bed.`)).ids)];
    const next = random(3);
    const ids = Array.from({ length: 300 }, () => pool[Math.floor(next() * pool.length)]!);
    expect(await inParts(tokenizer, ids)).toEqual(await whole(tokenizer, ids));
  });
});

it('never decodes more than a few tokens at once, whatever is written', { timeout: 60_000 }, async () => {
  for (const make of Object.values(tokenizers)) {
    const tokenizer = new Tokenizer(make());
    const bird = [...(await tokenizer.encode('🦢')).ids].filter((id) => tokenizer.readable(id).startsWith('\\x'));
    const swans = [...(await tokenizer.encode('🦢'.repeat(100))).ids];
    // The first byte of a character, again and again.
    const broken = Array.from({ length: 400 }, () => bird[0] ?? swans.at(-1)!);
    const words = [...(await tokenizer.encode('a bad cab '.repeat(100))).ids];
    for (const ids of [swans, broken, words]) {
      let most = 0;
      const continuation = new Continuation({
        decode: (some) => {
          most = Math.max(most, some.length);
          return tokenizer.decode(some);
        },
        readable: (id) => tokenizer.readable(id),
        isByte: (id) => tokenizer.isByte(id),
      });
      for (const id of ids) await continuation.add(id);
      expect(most).toBeLessThan(300);
      expect(continuation.text).toBe(await tokenizer.decode(ids));
    }
  }
});
