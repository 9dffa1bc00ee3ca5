/** What a subcommand is, and what it gets. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import type { ModelInfo } from '../requests/api.js';
import type { Engine } from '../requests/ask.js';
import type { Paint } from '../terminal/paint.js';
import type { Progress } from '../terminal/progress.js';
import { nearest } from './nearest.js';
import { UsageError } from './usage.js';

export interface Option {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  readonly multiple?: boolean;
  /** What the help calls its value. */
  readonly value?: string;
  readonly help: string;
}

export type Options = Readonly<Record<string, Option>>;

export interface Command {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** The arguments after the name, for each way to call it. */
  readonly usage: readonly string[];
  /** Arguments after the name that work as they are, each with what it shows. */
  readonly examples: readonly (readonly [line: string, shows: string])[];
  readonly options: Options;
  run(context: Context): Promise<void>;
}

export interface Context {
  readonly args: Arguments;
  /** Writes to stdout. */
  readonly out: (text: string) => void;
  readonly paint: Paint;
  /** Columns of the terminal, or many if stdout is not a terminal. */
  readonly columns: number;
  readonly interactive: boolean;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Opens the model (default: the one of `--engine`, `--model` or `--pool`) in a guarded process: once, until the command ends. */
  readonly open: (folder?: string) => Promise<Opened>;
  /** Opens another one beside it: a server by its address, or a pool or model by its folder. */
  readonly openOther: (chosen: string) => Promise<Opened>;
  /** Like `open`, with the engine in this process, to measure the engine alone. */
  readonly openHere: () => Promise<Opened>;
}

export interface Opened {
  readonly engine: Engine;
  readonly model: ModelInfo;
}

/** A parsed command line. */
export class Arguments {
  private constructor(
    private readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>,
    readonly positionals: readonly string[],
  ) {}

  static parse(options: Options, args: readonly string[]): Arguments {
    const config = Object.fromEntries(
      Object.entries(options).map(([name, { type, short, multiple = false }]) => [
        name,
        { type, multiple, ...(short && { short }) },
      ]),
    ) as NonNullable<ParseArgsConfig['options']>;
    try {
      const { values, positionals, tokens } = parseArgs({
        args: [...args],
        options: config,
        allowPositionals: true,
        tokens: true,
      });
      refuseRepeats(
        options,
        tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : [])),
      );
      return new Arguments(values, positionals);
    } catch (thrown) {
      if (thrown instanceof TypeError && 'code' in thrown) throw misread(options, thrown);
      throw thrown;
    }
  }

  flag(name: string): boolean {
    return this.values[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.values[name];
    return typeof value === 'string' ? value : undefined;
  }

  /** All values of an option that may be repeated. */
  list(name: string): readonly string[] {
    const value = this.values[name];
    return Array.isArray(value) ? value.filter((x) => typeof x === 'string') : [];
  }

  noPositionals(): void {
    if (this.positionals.length > 0) throw new UsageError(`"${this.positionals[0]!}" is one argument too many.`);
  }
}

/** Otherwise all but the last value would be lost silently. */
function refuseRepeats(options: Options, given: readonly string[]): void {
  const repeated = given.find((name, i) => {
    const option = options[name];
    return option?.type === 'string' && !option.multiple && given.indexOf(name) < i;
  });
  if (repeated !== undefined) throw new UsageError(`--${repeated} is given twice, but takes one value.`);
}

/** Node's message about an unknown option recommends `--`, which is seldom what was meant. */
function misread(options: Options, thrown: TypeError): UsageError {
  const unknown = /^Unknown option '(-[^']*)'/.exec(thrown.message)?.[1];
  if (unknown === undefined) return new UsageError(thrown.message, { cause: thrown });
  const close = nearest(
    unknown,
    Object.keys(options).map((name) => `--${name}`),
  );
  return new UsageError(`There is no option ${unknown}.${close ? ` Did you mean ${close}?` : ''}`, { cause: thrown });
}
