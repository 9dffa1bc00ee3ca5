import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isMatch } from '../../../evaluate/tasks/answer.js';
import { readExamples } from '../../../evaluate/tasks/examples.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'gander-tasks-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});
const write = (name: string, ...lines: unknown[]) => {
  const rows = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)));
  writeFileSync(path.join(folder, name), rows.join('\n'));
};
const refused = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string });

describe('examples', () => {
  it('are the first of each file, ordered by file name, without duplicates', () => {
    write('b.jsonl', { input: 'x', target: 'y' }, '', { input: 'x', target: 'y' }, { input: 'x', target: 'z' });
    write(
      'a.jsonl',
      { input: 'x', target: 'y', choices: ['y', 'n'] },
      { input: 'z', target: 'n', choices: ['y', 'n'] },
    );
    write('notes.txt', 'not a task');
    const found = readExamples(folder, 1, 10);
    expect(found.map(({ kind, target, choices }) => [kind, target, choices?.length])).toEqual([
      ['a', 'y', 2],
      ['b', 'y', undefined],
    ]);
    expect(readExamples(folder, 9, 10).map(({ kind }) => kind)).toEqual(['a', 'a', 'b', 'b']);
  });

  it('have another hash if their answers may differ', () => {
    write('a.jsonl', { input: 'x', target: 'y' }, { input: 'x', target: 'y', choices: ['y', 'n'] });
    const [before, after] = [readExamples(folder, 9, 10), readExamples(folder, 9, 11)];
    expect(before[0]!.hash).not.toBe(after[0]!.hash);
    expect(before[1]!.hash).toBe(after[1]!.hash);
  });

  it('are refused with the line’s number if they are invalid', () => {
    write('a.jsonl', { input: 'x', target: 'y' }, '{"input": ');
    expect(() => readExamples(folder, 9, 10)).toThrow(refused('request-invalid', /a\.jsonl, line 2 is not JSON/));
    write('a.jsonl', { input: 'x' });
    expect(() => readExamples(folder, 9, 10)).toThrow(refused('request-invalid', /line 1 is not an example/));
    write('a.jsonl', { input: 'x', target: 'z', choices: ['y', 'n'] });
    expect(() => readExamples(folder, 9, 10)).toThrow(refused('request-invalid', /target is not among the choices/));
    rmSync(path.join(folder, 'a.jsonl'));
    expect(() => readExamples(folder, 9, 10)).toThrow(refused('io', /no task/));
    expect(() => readExamples(path.join(folder, 'none'), 9, 10)).toThrow(refused('io', /cannot be read/));
  });
});

it('matches exactly apart from white space', () => {
  expect(isMatch(' the  goose\n', 'the goose')).toBe(true);
  expect(isMatch('The goose', 'the goose')).toBe(false);
});
