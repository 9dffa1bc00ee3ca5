/** docs/agents.md: the calls of its questions are made, and answer what stands there. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { Agent, withShipped } from './agents.js';
import { isEmulated, root } from './support.js';

interface Call {
  readonly tool: string;
  readonly arguments: object;
}

const page = readFileSync(path.join(root, 'docs/agents.md'), 'utf8');
const questions = page.split('\n### ').slice(1);
const calls = [...page.matchAll(/```json\n(\{ "tool": .*\})\n```\n\n```text\n([^`]*(?:`[^`]+`[^`]*)*?)\n```/g)].map(
  ([, call, answer]) => ({ call: JSON.parse(call!) as Call, answer: answer!.split('\n') }),
);

const number = /[+-]?\d+(?:\.\d+)?/g;

/** A line without its numbers, and these; those in code and in words are part of the line. */
function read(line: string): { readonly words: string; readonly numbers: readonly number[] } {
  const numbers: number[] = [];
  const words = line.replace(/`[^`]*`|"[^"]*"|[a-z][\w-]*|[+-]?\d+(?:\.\d+)?/g, (part) => {
    if (!/^[+-]?\d/.test(part)) return part;
    numbers.push(Number(part));
    return '#';
  });
  return { words, numbers };
}

/** Models compute the same on every processor only as far as these bounds. */
const isNear = (a: number, b: number) => Math.abs(a - b) <= 0.06 + 0.03 * Math.abs(a);

function isAlike(told: string, said: string): boolean {
  const [a, b] = [read(told), read(said)];
  // What follows a sentence that the page quotes is left out there.
  if (a.words !== b.words && !b.words.startsWith(`${a.words} `)) return false;
  return a.numbers.every((x, i) => isNear(x, b.numbers[i]!));
}

it('has five questions, each with calls', () => {
  expect(questions).toHaveLength(5);
  for (const question of questions) expect(question).toContain('{ "tool": "');
  expect(calls).toHaveLength([...page.matchAll(/^\{ "tool": /gm)].length);
  expect([...page.matchAll(number)].length).toBeGreaterThan(50);
});

it.skipIf(isEmulated)(
  'makes the calls one after the other and is answered what stands there',
  async () => {
    const agent = await Agent.forTest([...withShipped, '--folder', path.join(root, 'samples')]);
    for (const { call, answer } of calls) {
      const { text, failed } = await agent.ask(call.tool, call.arguments);
      expect({ call, failed }).toEqual({ call, failed: false });
      const lines = text.split('\n');
      let at = 0;
      for (const told of answer.filter((line) => line !== '…')) {
        const found = lines.findIndex((said, i) => i >= at && isAlike(told, said));
        expect(found, `${JSON.stringify(call)} does not answer: ${told}\n\n${text}`).toBeGreaterThanOrEqual(0);
        at = found + 1;
      }
    }
  },
  300_000,
);
