/** Scripts with which a shell completes `gander`, made from the commands themselves. If no word of theirs fits, it offers files. */
import type { Command, Option, Options } from './command.js';
import { helpOption } from './options.js';

export const shells = { bash, zsh, fish } as const;

export type Shell = keyof typeof shells;

/** For bash; `complete -o default` falls back to file names. */
function bash(commands: readonly Command[]): string {
  const cases = commands.map(({ name, options }) => `    ${name}) words="${words(options).join(' ')}" ;;\n`);
  return `_gander() {
  local word=\${COMP_WORDS[COMP_CWORD]} words=
  COMPREPLY=()
  if [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=($(compgen -W "${[...commands.map(({ name }) => name), '--help', '--version'].join(' ')}" -- "$word"))
    return
  fi
  [[ $word == -* ]] || return
  case \${COMP_WORDS[1]} in
${cases.join('')}  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _gander gander
`;
}

function zsh(commands: readonly Command[]): string {
  return `(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }\nautoload -Uz bashcompinit && bashcompinit\n${bash(commands)}`;
}

function fish(commands: readonly Command[]): string {
  const names = commands.map(
    ({ name, summary }) => `complete -c gander -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}\n`,
  );
  const options = commands.flatMap((command) =>
    Object.entries<Option>({ ...command.options, ...helpOption }).map(([name, { type, short, help }]) => {
      const also = short ? ` -s ${short}` : '';
      const takes = type === 'string' ? ' -r' : '';
      const where = quoted(`__fish_seen_subcommand_from ${command.name}`);
      return `complete -c gander -n ${where} -l ${name}${also}${takes} -d ${quoted(help)}\n`;
    }),
  );
  return [...names, ...options].join('');
}

function words(options: Options): string[] {
  return Object.keys({ ...options, ...helpOption }).map((name) => `--${name}`);
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
