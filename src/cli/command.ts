/** What a subcommand is, and what it is given. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import type { Engine, ModelInfo, PoolKeeper } from '../engine/api.js';
import type { Paint } from '../terminal/paint.js';
import type { Progress } from '../terminal/progress.js';
import { UsageError } from './usage.js';

export interface Option {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  readonly multiple?: boolean;
  /** What stands for its value in the help. */
  readonly value?: string;
  readonly help: string;
}

export type Options = Readonly<Record<string, Option>>;

export interface Command {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** What comes after the name, for each way to call it. */
  readonly usage: readonly string[];
  readonly options: Options;
  run(context: Context): Promise<void>;
}

export interface Context {
  readonly args: Arguments;
  /** To stdout. */
  readonly out: (text: string) => void;
  readonly paint: Paint;
  /** Columns of the terminal; a wide one where stdout is none. */
  readonly columns: number;
  readonly interactive: boolean;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** The model (default: that of `--engine`, `--model` or `--pool`) and an engine on it in a guarded process, opened once and closed when the command ends. */
  readonly open: (folder?: string) => Promise<Opened>;
  /** Another one beside it: a server's address, or a pool's or a model's folder. */
  readonly openOther: (chosen: string) => Promise<Opened>;
  /** The same with the engine in this process, for what measures the engine alone. */
  readonly openHere: () => Promise<Opened>;
}

export interface Opened {
  readonly engine: Engine & PoolKeeper;
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
      const { values, positionals } = parseArgs({ args: [...args], options: config, allowPositionals: true });
      return new Arguments(values, positionals);
    } catch (thrown) {
      if (thrown instanceof TypeError && 'code' in thrown) throw new UsageError(thrown.message, { cause: thrown });
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
