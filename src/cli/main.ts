/** `gander` on the command line: finds the command, runs it in its context, and turns errors into exit codes. */
import type { ModelInfo } from '../requests/api.js';
import { hasFallenBack, fallenBack } from '../requests/device.js';
import { type ErrorData, GanderError } from '../errors/errors.js';
import type { Warning } from '../requests/description.js';
import { ganderVersion } from '../product/version.js';
import { painter } from '../terminal/paint.js';
import { Progress } from '../terminal/progress.js';
import { plain } from '../trace/text/label.js';
import { Arguments, type Command } from './command.js';
import { add } from './commands/add.js';
import { atlas } from './commands/atlas.js';
import { attribute } from './commands/attribute.js';
import { bench } from './commands/bench.js';
import { compare } from './commands/compare.js';
import { completion } from './commands/completion.js';
import { generate } from './commands/generate.js';
import { importFile } from './commands/import.js';
import { inspect } from './commands/inspect.js';
import { logitLens } from './commands/logitLens.js';
import { mcp } from './commands/mcp.js';
import { models } from './commands/models.js';
import { pack } from './commands/pack.js';
import { pool } from './commands/pool.js';
import { route } from './commands/route.js';
import { score } from './commands/score.js';
import { show } from './commands/show.js';
import { similarity } from './commands/similarity.js';
import { tryExpert } from './commands/try.js';
import { commandHelp, help } from './help.js';
import { jsonLine } from './json.js';
import { nearest } from './nearest.js';
import { helpOption } from './options.js';
import { Opening } from './opening.js';
import { exitCodes, UsageError } from './usage.js';

const working: readonly Command[] = [
  route,
  generate,
  compare,
  attribute,
  logitLens,
  score,
  inspect,
  show,
  similarity,
  atlas,
  tryExpert,
  pack,
  add,
  pool,
  importFile,
  models,
  mcp,
  bench,
];

const commands: readonly Command[] = [...working, completion(working)];

/** How many of a pool's warnings are printed. */
const mostWarnings = 10;

/** Columns if stdout is not a terminal: enough to cut nothing off. */
const pipedColumns = 160;

/** Scripts that read JSON get no progress. */
const nowhere = { write: () => {} };

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === '--version' || name === '-v') return say(`${ganderVersion}\n`);
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const about = commands.find((c) => c.name === rest[0]);
    process[name === undefined ? 'stderr' : 'stdout'].write(about ? commandHelp(about) : help(commands));
    return name === undefined ? exitCodes.usage : exitCodes.ok;
  }
  const command = commands.find((c) => c.name === name);
  if (!command) throw unknownCommand(name);
  const args = Arguments.parse({ ...command.options, ...helpOption }, rest);
  if (args.flag('help')) return say(commandHelp(command));
  await run(command, args);
  return exitCodes.ok;
}

function unknownCommand(name: string): UsageError {
  const close = nearest(
    name,
    commands.map((command) => command.name),
  );
  return new UsageError(`There is no command "${plain(name)}".${close ? ` Did you mean ${close}?` : ''}`);
}

async function run(command: Command, args: Arguments): Promise<void> {
  const stop = new AbortController();
  const asJson = args.flag('json');
  const progress = new Progress(asJson ? nowhere : process.stderr);
  const opening = new Opening(args, stop, {
    beforehand: (warnings) => warnings.forEach((warning) => sayWarning(warning, asJson)),
    opened: ({ model }) => {
      if (!asJson && command.name !== 'inspect') warn(model);
    },
    computes: (use) => {
      // inspect tells it in any case.
      if (hasFallenBack(use) && command.name !== 'inspect') sayWarning(fallenBack(use), asJson);
    },
  });
  try {
    await command.run({
      args,
      out: (text) => process.stdout.write(text),
      paint: painter(process.stdout),
      columns: process.stdout.isTTY ? process.stdout.columns : pipedColumns,
      interactive: process.stdout.isTTY,
      progress,
      signal: stop.signal,
      open: (folder) => opening.open(folder),
      openHere: () => opening.openHere(),
      openOther: (chosen) => opening.openOther(chosen),
    });
  } finally {
    progress.clear();
    opening.dispose();
  }
}

/** One line, or JSON if that was asked for. */
function sayWarning({ code, text }: Warning, asJson: boolean): void {
  const line = asJson ? jsonLine({ warning: { code, text } }) : `gander: warning: ${plain(text)}`;
  process.stderr.write(`${line}\n`);
}

/** Warns about a model that works all the same. The warning about encryption was printed before. */
function warn(model: ModelInfo): void {
  const warnings = model.warnings.filter(({ code }) => code !== 'not-encrypted');
  for (const warning of warnings.slice(0, mostWarnings)) sayWarning(warning, false);
  const more = warnings.length - mostWarnings;
  if (more > 0) process.stderr.write(`gander: warning: ${more} more; gander inspect shows all.\n`);
}

function say(text: string): number {
  process.stdout.write(text);
  return exitCodes.ok;
}

/** One line, or JSON if that was asked for. */
function report(thrown: unknown, [name, ...rest]: readonly string[]): number {
  const usage = thrown instanceof UsageError;
  const about = commands.some((command) => command.name === name) ? `${name} ` : '';
  const error: ErrorData = usage
    ? { code: 'request-invalid', message: thrown.message, remedy: `See gander ${about}--help.` }
    : GanderError.from(thrown).toData();
  const line = rest.includes('--json') ? jsonLine({ error }) : `gander: ${plain(error.message)} ${plain(error.remedy)}`;
  process.stderr.write(`${line}\n`);
  return usage ? exitCodes.usage : error.code === 'cancelled' ? exitCodes.cancelled : exitCodes.failure;
}

// A reader that stops early (`| head`) is not a failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? exitCodes.ok : exitCodes.failure);
});

const argv = process.argv.slice(2);
void main(argv)
  .catch((thrown: unknown) => report(thrown, argv))
  .then((code) => {
    // Not process.exit, which would lose what is still on its way to a pipe.
    process.exitCode = code;
  });
