/** The files of an expert: configurations, patterns, matrices, cards. Read in an unguarded process. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Random } from '../random.js';
import { spoiltBytes } from '../spoil/bytes.js';
import { filesIn, rewrite, rewriteJson } from '../spoil/files.js';
import { spoilJson } from '../spoil/json.js';
import { spoilPool } from './pools.js';
import type { Target } from './target.js';

const expressions = [
  '(a+)+$',
  '(.*)*=',
  '([a-z_.0-9]+)*!',
  '(?=q)q',
  '(a)\\1',
  '(',
  '[',
  '.*',
  'a{1000}{1000}',
  '(x?){99}x',
  '^$',
  '\\p{L}+',
  'q_proj|v_proj',
  '(?i)Q_PROJ',
  '*',
];

/** YAML that nests, repeats, refers to itself or never ends. */
const yaml = [
  '[',
  '{',
  '- ',
  '? ',
  '- [',
  '&a ',
  '*a ',
  '!!a ',
  '"',
  "'",
  '|\n',
  ': ',
  ',',
  '\t',
  '\r',
  '%',
  '# ',
  '---\n',
  'a: &a [*a]\n',
  '\u2028',
  '\\x',
  '<<: *a\n',
];

function card(random: Random): string {
  const key = random.pick(['name', 'license', 'datasets', 'description', 'tags', '']);
  const value = random.pick(yaml).repeat(1 + random.below(random.pick([5, 400, 30_000])));
  const end = random.chance(0.8) ? '\n---\n' : '';
  return `---\n${random.chance(0.5) ? 'license: mit\n' : ''}${key}: ${random.chance(0.5) ? value : `\n ${value}`}${random.pick(yaml)}${end}`;
}

export const experts: Target = {
  name: 'experts',
  runner: 'reader',
  begins: 'pool',
  spoil: (folder, random) => {
    const of = (name: string) => random.pick(filesIn(path.join(folder, 'experts'), name));
    return random.do({
      patterns: () =>
        rewriteJson(of('adapter_config.json'), (json) => {
          const count = random.pick([1, 3, 101, 20_000]);
          const patterns = Object.fromEntries(
            Array.from({ length: count }, (_, i) => [
              `${random.pick(expressions)}${count > 3 ? i : ''}`,
              random.pick([1, 4, 1e300, -1]),
            ]),
          );
          (json as Record<string, unknown>)[random.pick(['rank_pattern', 'alpha_pattern'])] = patterns;
          return `${count} expressions`;
        }),
      configuration: () => rewriteJson(of('adapter_config.json'), (json) => spoilJson(json, random)),
      card: () => {
        const text = card(random);
        writeFileSync(of('README.md'), text);
        return JSON.stringify(text.slice(0, 40));
      },
      'card, spoilt': () => rewrite(of('README.md'), (bytes) => spoiltBytes(bytes, random)),
      any: () => spoilPool(folder, random),
    });
  },
};
