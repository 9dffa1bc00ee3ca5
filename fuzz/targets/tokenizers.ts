/** tokenizer.json, of parts that the library knows in combinations that it may not expect. */
import path from 'node:path';
import type { Random } from '../random.js';
import { spoiltBytes } from '../spoil/bytes.js';
import { rewrite, rewriteJson } from '../spoil/files.js';
import { spoilJson } from '../spoil/json.js';
import type { Target } from './target.js';

type Json = Record<string, unknown>;

const expressions = [
  '(a+)+$',
  '(a|aa)+$',
  '(?=a)*',
  '([a-z]+)*!',
  '.*.*.*=',
  '\\p{L}+',
  '\\s',
  '',
  '^',
  '$',
  '(',
  '\\G',
  '(?<=a)b',
  '(?i)THE',
  '(?:a{0,99}){0,99}',
  '(?<n>a)\\k<n>',
  '\\b',
  '[^\\x00-\\uffff]',
  '(?>a+)',
  '(((((a*)*)*)*)*)*',
];

const pattern = (random: Random) =>
  random.chance(0.6)
    ? { Regex: random.pick(expressions) }
    : { String: random.pick(['', ' ', 'a', 'e', '\n', '\u0000', '🦢', 'the']) };

const short = (random: Random) => random.pick(['', ' ', 'a', '▁', 'Ġ', '##', '\u0000', '🦢', 'a'.repeat(100)]);
const flag = (random: Random) => random.chance(0.5);

function normalizer(random: Random, depth = 0): unknown {
  const type = random.pick([
    'NFC',
    'NFD',
    'NFKC',
    'NFKD',
    'Lowercase',
    'Strip',
    'StripAccents',
    'Nmt',
    'ByteLevel',
    'Prepend',
    'Replace',
    'BertNormalizer',
    'Precompiled',
    'Sequence',
  ]);
  switch (type) {
    case 'Strip':
      return { type, strip_left: flag(random), strip_right: flag(random) };
    case 'Prepend':
      return { type, prepend: short(random) };
    case 'Replace':
      return { type, pattern: pattern(random), content: short(random) };
    case 'BertNormalizer':
      return {
        type,
        clean_text: flag(random),
        handle_chinese_chars: flag(random),
        strip_accents: flag(random),
        lowercase: flag(random),
      };
    case 'Precompiled':
      return {
        type,
        precompiled_charsmap: Buffer.from(Array.from({ length: random.below(300) }, () => random.below(256))).toString(
          'base64',
        ),
      };
    case 'Sequence': {
      const length = depth > 2 ? 0 : random.pick([0, 2, 5, 12]);
      return { type, normalizers: Array.from({ length }, () => normalizer(random, depth + 1)) };
    }
    default:
      return { type };
  }
}

function preTokenizer(random: Random, depth = 0): unknown {
  const type = random.pick([
    'BertPreTokenizer',
    'ByteLevel',
    'CharDelimiterSplit',
    'Metaspace',
    'Whitespace',
    'WhitespaceSplit',
    'Punctuation',
    'Digits',
    'UnicodeScripts',
    'FixedLength',
    'Split',
    'Sequence',
  ]);
  const behavior = random.pick(['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous']);
  switch (type) {
    case 'ByteLevel':
      return { type, add_prefix_space: flag(random), trim_offsets: flag(random), use_regex: flag(random) };
    case 'CharDelimiterSplit':
      return { type, delimiter: random.pick([' ', 'a', '🦢', '\u0000']) };
    case 'Metaspace':
      return {
        type,
        replacement: random.pick(['▁', 'a', '🦢']),
        prepend_scheme: random.pick(['always', 'never', 'first']),
        split: flag(random),
      };
    case 'Punctuation':
      return { type, behavior };
    case 'Digits':
      return { type, individual_digits: flag(random) };
    case 'FixedLength':
      return { type, length: random.pick([0, 1, 5, 2 ** 40]) };
    case 'Split':
      return { type, pattern: pattern(random), behavior, invert: flag(random) };
    case 'Sequence': {
      const length = depth > 2 ? 0 : random.pick([0, 2, 5]);
      return { type, pretokenizers: Array.from({ length }, () => preTokenizer(random, depth + 1)) };
    }
    default:
      return { type };
  }
}

function template(random: Random): unknown[] {
  return Array.from({ length: random.below(4) }, () =>
    random.chance(0.6)
      ? { Sequence: { id: random.pick(['A', 'B']), type_id: random.pick([0, 1, 2 ** 32 - 1]) } }
      : { SpecialToken: { id: random.pick(['<|endoftext|>', '[CLS]', '']), type_id: 0 } },
  );
}

function postProcessor(random: Random): unknown {
  const type = random.pick(['TemplateProcessing', 'BertProcessing', 'RobertaProcessing', 'ByteLevel', 'Sequence']);
  const token = [random.pick(['<|endoftext|>', '[CLS]', '']), random.pick([0, 1, 5000, 2 ** 32 - 1])];
  switch (type) {
    case 'TemplateProcessing':
      return {
        type,
        single: template(random),
        pair: [...template(random), { Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 0 } }],
        special_tokens: random.chance(0.6)
          ? {
              '<|endoftext|>': {
                id: '<|endoftext|>',
                ids: random.pick([[0], [], [2 ** 32 - 1], [0, 1]]),
                tokens: random.pick([['<|endoftext|>'], []]),
              },
            }
          : {},
      };
    case 'ByteLevel':
      return { type, add_prefix_space: flag(random), trim_offsets: flag(random), use_regex: flag(random) };
    case 'Sequence':
      return { type, processors: [] };
    default:
      return { type, sep: token, cls: token, trim_offsets: flag(random), add_prefix_space: flag(random) };
  }
}

function decoder(random: Random): unknown {
  return random.pick<unknown>([
    null,
    { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    { type: 'WordPiece', prefix: short(random), cleanup: flag(random) },
    { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
    { type: 'BPEDecoder', suffix: short(random) },
    { type: 'CTC', pad_token: short(random), word_delimiter_token: '|', cleanup: true },
    { type: 'Strip', content: 'a', start: random.pick([0, 5, 2 ** 40]), stop: random.pick([0, 5, 2 ** 40]) },
    {
      type: 'Sequence',
      decoders: [
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Replace', pattern: pattern(random), content: short(random) },
      ],
    },
  ]);
}

function spoilModel(model: Json, random: Random): string {
  // A case may change the model twice; after the first time, its vocabulary or its merges may be gone.
  const vocabulary = (model['vocab'] ?? {}) as Record<string, number>;
  const merges = Array.isArray(model['merges']) ? (model['merges'] as unknown[]) : [];
  const words = Object.keys(vocabulary);
  if (words.length === 0) words.push('a');
  return random.do({
    merges: () => {
      for (let n = 1 + random.below(5); n > 0; n--)
        merges.splice(
          random.below(merges.length),
          1,
          random.pick<unknown>([
            ['Ġ', 'x'],
            ['\u00f0\u0178', '\u00a6'],
            [''],
            ['a', ''],
            ['nothing', 'like'],
            'a b',
            'a b c',
            '',
            null,
          ]),
        );
    },
    'merges in any order': () => merges.sort(() => random.next() - 0.5),
    'ids of words': () => (vocabulary[random.pick(words)] = random.pick([2 ** 32 - 1, 2 ** 31, 5000, 0, -1, 0.5])),
    'words gone': () => {
      for (let n = 1 + random.below(50); n > 0; n--) Reflect.deleteProperty(vocabulary, random.pick(words));
    },
    'words new': () =>
      (vocabulary[random.pick(['', '\ud800', 'x'.repeat(5000), '\u0000', 'the'])] = random.below(2000)),
    options: () => {
      model[
        random.pick([
          'dropout',
          'unk_token',
          'continuing_subword_prefix',
          'end_of_word_suffix',
          'fuse_unk',
          'byte_fallback',
          'ignore_merges',
        ])
      ] = random.pick<unknown>([true, false, 0, 1, 2, -1, NaN, '', 'a', '##', 'nothing', 'x'.repeat(1000)]);
    },
    kind: () => {
      const type = random.pick(['WordPiece', 'WordLevel', 'Unigram']);
      Reflect.deleteProperty(model, 'merges');
      model['type'] = type;
      model['unk_token'] = random.pick<unknown>([random.pick(words), '[UNK]', null]);
      if (random.chance(0.2)) model['vocab'] = {};
      if (type === 'WordPiece')
        Object.assign(model, {
          continuing_subword_prefix: short(random),
          max_input_chars_per_word: random.pick([0, 100, 2 ** 40]),
        });
      if (type === 'Unigram')
        Object.assign(model, {
          unk_id: random.pick<unknown>([0, null, 10_000]),
          vocab: words.slice(0, 300).map((word) => [word, random.pick([0, -1, -1e30, 1e30])]),
          byte_fallback: flag(random),
        });
      return type;
    },
  });
}

function addedToken(random: Random): unknown {
  return {
    id: random.pick([0, 1, 700, 10_000, 2 ** 32 - 1]),
    content: random.pick(['', 'the', 'a', ' ', '\n', '<|endoftext|>', '🦢', 'x'.repeat(2000), '.*', '\u0000']),
    single_word: flag(random),
    lstrip: flag(random),
    rstrip: flag(random),
    normalized: flag(random),
    special: flag(random),
  };
}

function spoilTokenizer(json: Json, random: Random): string {
  return random.do({
    normalizer: () => (json['normalizer'] = normalizer(random)),
    'pre-tokenizer': () => (json['pre_tokenizer'] = preTokenizer(random)),
    'post-processor': () => (json['post_processor'] = postProcessor(random)),
    decoder: () => (json['decoder'] = decoder(random)),
    model: () => spoilModel((json['model'] ??= {}) as Json, random),
    'added tokens': () =>
      (json['added_tokens'] = Array.from({ length: 1 + random.below(20) }, () => addedToken(random))),
    truncation: () =>
      (json['truncation'] = {
        direction: random.pick(['Left', 'Right']),
        max_length: random.pick([0, 1, 2 ** 40]),
        strategy: random.pick(['LongestFirst', 'OnlyFirst', 'OnlySecond']),
        stride: random.pick([0, 5, 2 ** 40]),
      }),
    padding: () =>
      (json['padding'] = {
        strategy: random.pick<unknown>(['BatchLongest', { Fixed: 1e9 }, { Fixed: 0 }]),
        direction: 'Right',
        pad_to_multiple_of: random.pick<unknown>([null, 0, 2 ** 40]),
        pad_id: 0,
        pad_type_id: 0,
        pad_token: '<|endoftext|>',
      }),
    'growing text': () =>
      (json['normalizer'] = {
        type: 'Sequence',
        normalizers: new Array(random.pick([2, 4, 30])).fill({
          type: 'Replace',
          pattern: { String: 'a' },
          content: 'a'.repeat(random.pick([2, 100])),
        }),
      }),
    anything: () => spoilJson(json, random),
  });
}

export const tokenizers: Target = {
  name: 'tokenizers',
  runner: 'engine',
  begins: 'pool',
  spoil: (folder, random) => {
    const file = path.join(folder, 'base/tokenizer.json');
    if (random.chance(0.1)) return rewrite(file, (bytes) => spoiltBytes(bytes, random));
    return rewriteJson(file, (json) => {
      const done = [spoilTokenizer(json as Json, random)];
      if (random.chance(0.4)) done.push(spoilTokenizer(json as Json, random));
      return done.join('; ');
    });
  },
};
