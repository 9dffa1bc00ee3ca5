import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Tokenizer } from '../../src/engine/runtime/tokenizer.js';
import { root, temporaryFolder, tinyPool } from './support.js';

const files = {
  tiny: path.join(tinyPool, 'base/tokenizer.json'),
  shipped: path.join(root, 'models/smollm2-135m/base/tokenizer.json'),
};

const texts: Record<string, string> = {
  'an emoji': 'a🦢b',
  'emoji joined to one': '👩\u200d🔬!',
  'combining marks': 'cafe\u0301 e\u0301',
  'line ends': 'a\r\nb\rc\n\n',
  tabs: '\t\tif (x)\t{',
  NUL: 'a\0b\0',
  'Chinese and Arabic': '漢字 العربية',
  'no ASCII at all': '🦢🦢🦢',
  'a special token written out': 'x <|endoftext|> y',
  'a selection that begins inside a word': 'ction that begins',
  'a byte order mark': '\uFEFFa',
  'spaces only': '    ',
};

for (const [name, file] of Object.entries(files)) {
  describe.skipIf(!existsSync(file))(`the tokenizer of the ${name} pool`, () => {
    it.each(Object.entries(texts))('covers %s without a gap, in UTF-16 units', async (_, text) => {
      const { ids, start, end } = await new Tokenizer(file).encode(text);
      let at = 0;
      for (let i = 0; i < ids.length; i++) {
        if (start[i] === -1) {
          expect(end[i]).toBe(-1);
          continue;
        }
        expect(start[i]!).toBeLessThan(end[i]!);
        // Adjacent to the token before, or part of the same character.
        if (start[i] !== at) expect(start[i]!).toBe(start[i - 1]!);
        at = end[i]!;
        // Never between the two halves of a surrogate pair.
        for (const offset of [start[i]!, at]) expect(/[\udc00-\udfff]/.test(text[offset] ?? '')).toBe(false);
      }
      expect(at).toBe(text.length);
    });

    it.each(['a\ud800b', '\udc00', 'x\ud83e', '\udd22\ud83e!'])(
      'treats a lone surrogate as U+FFFD, with the same offsets: %j',
      async (text) => {
        const tokenizer = new Tokenizer(file);
        const [odd, plain] = [
          await tokenizer.encode(text),
          await tokenizer.encode(text.replace(/[\ud800-\udfff]/g, '\uFFFD')),
        ];
        expect(odd).toEqual(plain);
        expect(Math.max(...odd.end)).toBe(text.length);
      },
    );

    it('adds a special token, which is not text', async () => {
      const { start, end } = await new Tokenizer(file).encode('text');
      expect([start[0], end[0]]).toEqual([-1, -1]);
      expect(start[1]).toBe(0);
    });

    it('shows tokens as a person reads them', async () => {
      const tokenizer = new Tokenizer(file);
      const { text } = await tokenizer.encode('the the\n🦢漢');
      expect(text.slice(1, 3)).toEqual(['the', ' the']);
      expect(text).toContain('\n');
      for (const token of text) expect(token).not.toMatch(/Ġ|Ċ|\uFFFD/);
    });

    it('decodes ids to the text', async () => {
      const tokenizer = new Tokenizer(file);
      const text = 'def f(x):\r\n\treturn "🦢" # é\n';
      expect(await tokenizer.decode([...(await tokenizer.encode(text)).ids])).toBe(text);
    });
  });
}

it('keeps offsets into the original text if a normaliser changes lengths', async () => {
  const json = JSON.parse(readFileSync(files.tiny, 'utf8')) as Record<string, unknown>;
  // NFKC turns one ligature into two letters, and a letter with a combining mark into one code point.
  json['normalizer'] = { type: 'NFKC' };
  const file = path.join(temporaryFolder(), 'tokenizer.json');
  writeFileSync(file, JSON.stringify(json));
  const text = '🦢ﬁe\u0301x';
  const { start, end } = await new Tokenizer(file).encode(text);
  const pieces = [...start].map((from, i) => (from < 0 ? '' : text.slice(from, end[i])));
  expect(pieces).toContain('ﬁ');
  expect(pieces.at(-1)).toBe('x');
  expect(end.at(-1)).toBe(text.length);
});

it('does not truncate a text, whatever its file says', async () => {
  const json = JSON.parse(readFileSync(files.tiny, 'utf8')) as Record<string, unknown>;
  json['truncation'] = { direction: 'Right', max_length: 4, strategy: 'LongestFirst', stride: 0 };
  const file = path.join(temporaryFolder(), 'tokenizer.json');
  writeFileSync(file, JSON.stringify(json));
  const text = 'the model routes each token';
  expect((await new Tokenizer(file).encode(text)).end.at(-1)).toBe(text.length);
});

it('says what is wrong with a file that is not a tokenizer', () => {
  const file = path.join(temporaryFolder(), 'tokenizer.json');
  for (const content of ['', '{}', 'nonsense', '{"model": 1}']) {
    writeFileSync(file, content);
    expect(() => new Tokenizer(file)).toThrow(expect.objectContaining({ code: 'tokenizer-invalid' }));
  }
});

describe('a tokenizer that would fail later', () => {
  const written = (changes: object) => {
    const json = JSON.parse(readFileSync(files.tiny, 'utf8')) as Record<string, unknown>;
    const file = path.join(temporaryFolder(), 'tokenizer.json');
    writeFileSync(file, JSON.stringify({ ...json, ...changes }));
    return file;
  };
  const template = (single: readonly object[], special: object = {}) => ({
    type: 'TemplateProcessing',
    single,
    pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
    special_tokens: special,
  });
  const a = { Sequence: { id: 'A', type_id: 0 } };
  const b = { Sequence: { id: 'B', type_id: 0 } };
  const marked = { SpecialToken: { id: '[CLS]', type_id: 0 } };
  const model = (type: string, rest: object) => ({ model: { type, unk_token: '[UNK]', ...rest } });

  it.each<[string, object, string]>([
    [
      'WordPiece without its unknown token',
      model('WordPiece', { continuing_subword_prefix: '##', max_input_chars_per_word: 100, vocab: { a: 0 } }),
      'in tokenizer.json, the unknown token "[UNK]" is missing in the vocabulary of its WordPiece model.',
    ],
    [
      'WordLevel of no words',
      model('WordLevel', { vocab: {} }),
      'in tokenizer.json, the unknown token "[UNK]" is missing in the vocabulary of its WordLevel model.',
    ],
    [
      'Unigram with unk_id null',
      model('Unigram', { unk_id: null, vocab: [['a', -1]] }),
      'its Unigram model has no unk_id',
    ],
    ['a template of B alone', { post_processor: template([b]) }, 'its template for one text names a second one (B)'],
    ['a template of A and B', { post_processor: template([a, b]) }, 'its template for one text names a second one (B)'],
    [
      'a template of B within a sequence',
      { post_processor: { type: 'Sequence', processors: [template([a]), template([b])] } },
      'its template for one text names a second one (B)',
    ],
    [
      'a template with a token that it does not list',
      { post_processor: template([marked, a]) },
      'its template names "[CLS]", which is missing in its special_tokens',
    ],
  ])('%s is refused when it is read', (_, changes, why) => {
    const file = written(changes);
    expect(() => new Tokenizer(file)).toThrow(
      expect.objectContaining({ code: 'tokenizer-invalid', message: expect.stringContaining(why) as string }),
    );
  });

  it('is accepted if it has what it needs', async () => {
    const known = { '[CLS]': { id: '[CLS]', ids: [0], tokens: ['<|endoftext|>'] } };
    const file = written({
      ...model('WordLevel', { vocab: { '[UNK]': 0, the: 1 } }),
      post_processor: template([marked, a], known),
    });
    expect((await new Tokenizer(file).encode('the goose')).count).toBeGreaterThan(1);
  });

  it('gives one error for a text that it has no token for', async () => {
    const { model: spelling } = JSON.parse(readFileSync(files.tiny, 'utf8')) as { model: object };
    const file = written({ model: { ...spelling, unk_token: 'nothing' }, pre_tokenizer: null, normalizer: null });
    await expect(new Tokenizer(file).encode('a 🦢')).rejects.toMatchObject({
      code: 'tokenizer-invalid',
      message: expect.stringMatching(/^The tokenizer cannot take this text: .*nothing/) as string,
    });
  });
});

describe('a tokenizer that puts a space marker before a text', () => {
  const file = path.join(temporaryFolder(), 'metaspace.json');
  const vocab = ['<unk>', '▁', '日', '▁a', 'b'].map((token) => [token, token === '<unk>' ? 0 : -1]);
  const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true };
  writeFileSync(
    file,
    JSON.stringify({
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: metaspace,
      post_processor: null,
      decoder: metaspace,
      model: { type: 'Unigram', unk_id: 0, vocab, byte_fallback: false },
    }),
  );

  it('has a token without text if the marker stands alone', async () => {
    const { text, start, end, special } = await new Tokenizer(file).encode('日 日');
    expect([text, [...start], [...end], [...special]]).toEqual([
      [' ', '日', ' ', '日'],
      [-1, 0, 1, 2],
      [-1, 1, 2, 3],
      [1, 0, 0, 0],
    ]);
  });

  it('has none if the marker is part of the first word', async () => {
    const { start, end } = await new Tokenizer(file).encode('ab');
    expect([[...start], [...end]]).toEqual([
      [0, 1],
      [1, 2],
    ]);
  });
});
