// Each command line in the documentation is one that `gander` takes: command, subcommand and options exist.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { Arguments, type Command } from '../../../src/cli/command.js';
import { completion } from '../../../src/cli/commands/completion.js';
import { helpOption } from '../../../src/cli/options.js';

const root = path.resolve(import.meta.dirname, '../../..');
const folder = path.join(root, 'src/cli/commands');

const isCommand = (one: unknown): one is Command => typeof one === 'object' && one !== null && 'summary' in one;

const modules = await Promise.all(
  readdirSync(folder).map((name) => import(path.join(folder, name)) as Promise<Record<string, unknown>>),
);
const working = modules.flatMap((all) => Object.values(all).filter(isCommand));
const commands = [...working, completion(working)];

/** The pages of one folder. */
const pages = (name: string) =>
  readdirSync(path.join(root, name)).flatMap((file) => (file.endsWith('.md') ? [path.posix.join(name, file)] : []));

/** What follows `gander` in blocks of code and in between. Comments and what a command prints are behind it, two spaces apart. */
function linesIn(text: string): string[] {
  const begun = /^(?:\$ )?(?:npx )?gander (?=[a-z])/;
  const fence = /^```\w*\n([\s\S]*?)^```$/gm;
  const blocks = Array.from(text.matchAll(fence), ([, block]) => block!.replace(/\\\n\s*/g, '').split('\n'));
  const between = Array.from(text.replace(fence, '').matchAll(/`([^`\n]+)`/g), ([, code]) => code!);
  return [...blocks.flat(), ...between]
    .filter((line) => begun.test(line))
    .map((line) => line.replace(begun, '').replace(/ {2,}.*| #.*| (?:>>?|\|) .*/, ''));
}

/** As a shell divides them. */
const wordsOf = (line: string) =>
  Array.from(line.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g), ([word]) => word.replace(/["']/g, ''));

/** What is wrong with a command line; undefined: nothing. */
function wrongWith(line: string): string | undefined {
  const [name, ...words] = wordsOf(line);
  const command = commands.find((one) => one.name === name);
  if (!command) return `there is no command ${name}`;
  // Prose may name an option without its value.
  const last = command.options[words.at(-1)?.replace(/^--/, '') ?? ''];
  const rest = last?.type === 'string' ? [...words, 'VALUE'] : words;
  try {
    const { positionals } = Arguments.parse({ ...command.options, ...helpOption }, rest);
    const firsts = command.usage.map((usage) => usage.split(' ')[0]!);
    // A command that has subcommands has nothing else.
    const isDivided = firsts.every((first) => /^[a-z]+$/.test(first));
    if (isDivided && positionals[0] !== undefined && !firsts.includes(positionals[0]))
      return `${name} has no ${positionals[0]}`;
  } catch (error) {
    return (error as Error).message;
  }
  return undefined;
}

// The changelog tells of earlier names.
const current = [...pages(''), ...pages('docs'), ...pages('npm')].filter((page) => page !== 'CHANGELOG.md');

it.each(current)('%s has only command lines that exist', (page) => {
  const lines = linesIn(readFileSync(path.join(root, page), 'utf8'));
  const wrong = lines.flatMap((line) => {
    const why = wrongWith(line);
    return why === undefined ? [] : [`gander ${line}: ${why}`];
  });
  expect(wrong).toEqual([]);
});

it('each of its own examples exists', () => {
  const examples = commands.flatMap(({ name, examples: all }) => all.map(([line]) => `${name} ${line}`));
  expect(examples.length).toBeGreaterThan(20);
  expect(examples.filter((line) => wrongWith(line) !== undefined)).toEqual([]);
});

it('finds what does not exist', () => {
  const page = ['```', 'gander rout x', '$ gander route x --trase y', '```', '`gander atlas draw x`, `gander-serve`'];
  const lines = linesIn(page.join('\n'));
  expect(lines).toEqual(['rout x', 'route x --trase y', 'atlas draw x']);
  expect(lines.map(wrongWith)).toEqual([
    'there is no command rout',
    expect.stringContaining('--trase'),
    'atlas has no draw',
  ]);
});
