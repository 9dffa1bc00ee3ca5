/** `gander` on the command line: finds the command, gives it its surroundings, and turns what it throws into an exit code. */
import path from 'node:path';
import type { Engine, PoolInfo } from '../engine/api.js';
import { type ErrorData, GanderError } from '../shared/errors.js';
import { ganderVersion } from '../shared/version.js';
import { plain } from '../trace/label.js';
import { Arguments, type Command } from './command.js';
import { attribute } from './commands/attribute.js';
import { bench } from './commands/bench.js';
import { compare } from './commands/compare.js';
import { generate } from './commands/generate.js';
import { inspect } from './commands/inspect.js';
import { route } from './commands/route.js';
import { score } from './commands/score.js';
import { commandHelp, help } from './help.js';
import { helpOption } from './options.js';
import { bundledPool, cacheFolder } from './paths.js';
import { Progress } from './progress.js';
import { painter } from './terminal.js';
import { exitCodes, UsageError } from './usage.js';
import { parseCount } from './words.js';

const commands: readonly Command[] = [route, generate, compare, attribute, score, inspect, bench];

/** Tokens between two looks at whether to stop. */
const chunk = 128;

/** Columns where stdout is no terminal: nothing is cut there for want of room. */
const pipedColumns = 160;

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === '--version' || name === '-v') return say(`${ganderVersion}\n`);
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const about = commands.find((c) => c.name === rest[0]);
    process[name === undefined ? 'stderr' : 'stdout'].write(about ? commandHelp(about) : help(commands));
    return name === undefined ? exitCodes.usage : exitCodes.ok;
  }
  const command = commands.find((c) => c.name === name);
  if (!command) throw new UsageError(`There is no command "${plain(name)}".`);
  const args = Arguments.parse({ ...command.options, ...helpOption }, rest);
  if (args.flag('help')) return say(commandHelp(command));
  await run(command, args);
  return exitCodes.ok;
}

async function run(command: Command, args: Arguments): Promise<void> {
  const stop = new AbortController();
  // Once: a second Ctrl+C ends the process at once, as without us.
  process.once('SIGINT', () => stop.abort());
  const progress = new Progress(process.stderr, args.flag('json'));
  let opened: { readonly engine: Engine; readonly pool: PoolInfo } | undefined;
  const open = async (folder?: string) => {
    if (opened) return opened;
    // Only here: help, trace files and wrong usage need no native module.
    const { createEngine } = await import('../engine/local.js');
    const engine = await createEngine({
      pool: path.resolve(folder ?? args.text('pool') ?? bundledPool(__dirname)),
      cache: path.resolve(args.text('cache') ?? cacheFolder()),
      threads: args.text('threads') === undefined ? 0 : parseCount(args.text('threads')!, '--threads'),
      chunk,
    });
    try {
      opened = { engine, pool: await engine.pool() };
      return opened;
    } catch (thrown) {
      engine.dispose();
      throw thrown;
    }
  };
  try {
    await command.run({
      args,
      out: (text) => process.stdout.write(text),
      paint: painter(process.stdout),
      columns: process.stdout.isTTY ? process.stdout.columns : pipedColumns,
      interactive: process.stdout.isTTY,
      progress,
      signal: stop.signal,
      open,
    });
  } finally {
    progress.clear();
    opened?.engine.dispose();
  }
}

function say(text: string): number {
  process.stdout.write(text);
  return exitCodes.ok;
}

/** One line, or JSON where that was asked for. */
function report(thrown: unknown, asJson: boolean): number {
  const usage = thrown instanceof UsageError;
  const error: ErrorData = usage
    ? { code: 'request-invalid', message: thrown.message, remedy: 'See gander --help.' }
    : GanderError.from(thrown).toData();
  const line = asJson ? JSON.stringify({ error }) : `gander: ${plain(error.message)} ${plain(error.remedy)}`;
  process.stderr.write(`${line}\n`);
  return usage ? exitCodes.usage : error.code === 'cancelled' ? exitCodes.cancelled : exitCodes.failure;
}

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? exitCodes.ok : exitCodes.failure);
});

const argv = process.argv.slice(2);
void main(argv)
  .catch((thrown: unknown) => report(thrown, argv.includes('--json')))
  .then((code) => {
    // Not process.exit: what is still on its way to a pipe would be lost.
    process.exitCode = code;
  });
