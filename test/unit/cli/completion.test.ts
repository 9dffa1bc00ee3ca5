import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { Command } from '../../../src/cli/command.js';
import { shells } from '../../../src/cli/completion.js';

const commands: readonly Command[] = [
  {
    name: 'route',
    summary: "route a text; it’s 'quoted'",
    usage: [],
    examples: [],
    options: {
      file: { type: 'string', short: 'f', help: 'a file' },
      force: { type: 'string', help: 'an expert' },
      json: { type: 'boolean', help: 'print JSON' },
    },
    run: () => Promise.resolve(),
  },
  { name: 'score', summary: 'bits', usage: [], examples: [], options: {}, run: () => Promise.resolve() },
];

/** What a shell offers for the last word. */
function offered(...typed: string[]): string[] {
  const words = ['gander', ...typed].map((word) => `'${word}'`).join(' ');
  const script = `${shells.bash(commands)}\nCOMP_WORDS=(${words}); COMP_CWORD=${typed.length}; _gander; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['--norc', '-c', script], { encoding: 'utf8' }).split('\n').filter(Boolean);
}

function has(program: string): boolean {
  try {
    execFileSync(program, ['--version']);
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!has('bash'))('bash', () => {
  it('completes commands, then the options of the one that was named', () => {
    expect(offered('r')).toEqual(['route']);
    expect(offered('')).toEqual(['route', 'score', '--help', '--version']);
    expect(offered('route', '--f')).toEqual(['--file', '--force']);
    expect(offered('route', 'text', '--')).toEqual(['--file', '--force', '--json', '--help']);
    expect(offered('score', '--f')).toEqual([]);
  });

  it('leaves everything but options to file names', () => {
    expect(offered('route', '--file', 'ma')).toEqual([]);
    expect(shells.bash(commands)).toContain('complete -o default');
  });
});

it.skipIf(!has('fish'))('fish completes the same, with what each is for', () => {
  const ask = (line: string) =>
    execFileSync('fish', ['--no-config', '-c', `${shells.fish(commands)}\ncomplete -C '${line}'`], {
      encoding: 'utf8',
    });
  expect(ask('gander r')).toMatch(/^route\troute a text; it’s 'quoted'$/m);
  expect(ask('gander route --f')).toBe('--file\ta file\n--force\tan expert\n');
});

it('zsh takes the script of bash, after what zsh needs for it', () => {
  expect(shells.zsh(commands)).toContain('bashcompinit');
  expect(shells.zsh(commands)).toContain(shells.bash(commands));
});
