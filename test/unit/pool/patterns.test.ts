import { expect, it } from 'vitest';
import { readPatterns } from '../../../src/pool/patterns.js';

const refused = (why: RegExp): unknown =>
  expect.objectContaining({ code: 'expert-invalid', message: expect.stringMatching(why) as string });

// The results of Python's re.match(rf"(.*\.)?({key})$", path), which PEFT uses.
it.each<[Record<string, number>, string, number | undefined]>([
  [{ q_proj: 2 }, 'model.layers.0.self_attn.q_proj', 2],
  [{ q_proj: 2 }, 'q_proj', 2],
  [{ 'layers.1.mlp.down_proj': 6 }, 'model.layers.0.mlp.down_proj', undefined],
  [{ proj: 3 }, 'model.layers.0.mlp.down_proj', undefined],
  [{ 'self.attn.q_proj': 4 }, 'model.layers.0.self_attn.q_proj', 4],
  [{ 'layers\\.[01]\\..*_proj': 5 }, 'model.layers.1.mlp.up_proj', 5],
  [{ '^model\\.layers\\.\\d+\\.mlp\\.(up|down)_proj': 7 }, 'model.layers.12.mlp.down_proj', 7],
  [{ 'mlp.*': 1, up_proj: 2 }, 'model.layers.1.mlp.up_proj', 1],
  [{ up_proj: 2, 'mlp.*': 1 }, 'model.layers.1.mlp.up_proj', 2],
])('pattern %j at %s', (patterns, path, wanted) => {
  expect(readPatterns('rank_pattern', patterns)(path)).toBe(wanted);
});

it('is quick even with an expression on which backtracking would not end', () => {
  const value = readPatterns('alpha_pattern', { '(a+)+b': 1, '(.*)*(.*)*(.*)*(.*)*c': 2, '(x+x+)+y': 3 });
  expect(value('a'.repeat(500))).toBeUndefined();
  expect(value('x'.repeat(500))).toBeUndefined();
});

it.each<[RegExp, Record<string, number>]>([
  [
    /has 100000 entries; an adapter changes at most 10000/,
    Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`m.${i}.q`, 4])),
  ],
  [/more than 100 regular expressions/, Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`m.*.${i}`, 4]))],
  [/longer than 200/, { ['.*'.repeat(101)]: 4 }],
  [/counts repetitions/, { '((a?){99}){99}': 4 }],
  [/without lookaround and back references/, { '(?=q)q_proj': 4 }],
  [/without lookaround and back references/, { '(a)\\1': 4 }],
  [/is not a regular expression/, { '(q_proj': 4 }],
])('refuses what %s', (why, patterns) => {
  expect(() => readPatterns('rank_pattern', patterns)).toThrow(refused(why));
});
