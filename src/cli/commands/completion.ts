import type { Command } from '../command.js';
import { type Shell, shells } from '../completion.js';
import { nearest } from '../nearest.js';
import { UsageError } from '../usage.js';

/** @param others the commands that it completes besides itself */
export function completion(others: readonly Command[]): Command {
  const names = Object.keys(shells) as Shell[];
  const command: Command = {
    name: 'completion',
    summary: 'print a script that completes commands and options in your shell',
    usage: [names.join('|')],
    examples: [
      ['bash >> ~/.bashrc', 'from the next shell on'],
      ['fish > ~/.config/fish/completions/gander.fish', 'the same in fish'],
    ],
    options: {},
    run({ args, out }) {
      const [asked = '', ...more] = args.positionals;
      const shell = names.find((name) => name === asked);
      if (more.length > 0 || shell === undefined) {
        const close = nearest(asked, names);
        throw new UsageError(`Name one shell: ${names.join(', ')}.${close ? ` Did you mean ${close}?` : ''}`);
      }
      out(shells[shell]([...others, command]));
      return Promise.resolve();
    },
  };
  return command;
}
