import { columns } from '../terminal/columns.js';
import type { Command, Options } from './command.js';
import { helpOption } from './options.js';

/** The help of `gander` itself. */
export function help(commands: readonly Command[]): string {
  return [
    'gander: see how a routed language model decides.\n',
    'Usage: gander <command> [options]\n',
    aligned(commands.map(({ name, summary }) => [name, summary])),
    'gander <command> --help lists a command’s options; gander --version prints the version.',
    'Exit codes: 0 done, 1 failed, 2 wrong usage, 130 cancelled.\n',
  ].join('\n');
}

export function commandHelp({ name, summary, usage, options, examples }: Command): string {
  const calls = usage.map((way, i) => `${i === 0 ? 'Usage:' : '      '} gander ${name} ${way}`.trimEnd());
  const lines = examples.map(([line, shows]) => [`gander ${name} ${line}`.trimEnd(), shows] as const);
  return [
    `gander ${name}: ${summary}\n`,
    `${calls.join('\n')}\n`,
    describe({ ...options, ...helpOption }),
    `Examples:\n${aligned(lines)}`,
  ].join('\n');
}

function describe(options: Options): string {
  return aligned(
    Object.entries(options).map(([name, { short, value, help }]) => [
      `${short ? `-${short}, ` : '    '}--${name}${value ? ` <${value}>` : ''}`,
      help,
    ]),
  );
}

function aligned(rows: readonly (readonly [string, string])[]): string {
  return columns(rows, 'll')
    .map((line) => `  ${line}\n`)
    .join('');
}
