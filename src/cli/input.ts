/** Where a command's text comes from. */
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import { GanderError } from '../errors/errors.js';
import { checkTraceSize, decodeTrace } from '../trace/file/file.js';
import type { Trace } from '../trace/model/trace.js';
import type { Arguments } from './command.js';
import { UsageError } from './usage.js';

function decode(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new GanderError('io', `${name} is not UTF-8 text.`, 'Convert it to UTF-8 first.', { cause });
  }
}

/** The most bytes of a text: far more than any model can read, but little memory. */
const longestText = 64 * 2 ** 20;

/** @throws GanderError `io`, also for anything but an ordinary file, which may have no end */
export function readBytes(file: string, most = Infinity): Uint8Array {
  try {
    // Otherwise, opening a pipe that nobody writes to would wait for a writer.
    const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile())
        throw new GanderError('io', `${file} is not an ordinary file.`, 'Give a file, or pipe the text to stdin.');
      if (stat.size > most) throw tooLarge(file, most);
      return readFileSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw cause instanceof GanderError ? cause : ioError('read', file, cause);
  }
}

/** @throws GanderError `io`, `trace-invalid`, `trace-newer` */
export function readTrace(file: string): Trace {
  checkTraceSize(sizeOf(file));
  return decodeTrace(readBytes(file));
}

/** The size in bytes, without reading the file. @throws GanderError `io` */
export function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch (cause) {
    throw ioError('read', file, cause);
  }
}

export function readText(file: string): string {
  return readTextUpTo(file, longestText);
}

/** @param most bytes */
export function readTextUpTo(file: string, most: number): string {
  return decode(readBytes(file, most), file);
}

async function readStdin(): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of process.stdin as AsyncIterable<Uint8Array>) {
    size += part.length;
    if (size > longestText) throw tooLarge('stdin', longestText);
    parts.push(part);
  }
  return decode(Buffer.concat(parts), 'stdin');
}

function tooLarge(name: string, most: number): GanderError {
  return new GanderError('text-too-long', `${name} holds more than ${most / 2 ** 20} MB.`, 'Give a part of it.');
}

export function ioError(act: 'read' | 'write', file: string, cause: unknown): GanderError {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  return new GanderError('io', `Could not ${act} ${file}: ${code}.`, 'Check the path and its permissions.', { cause });
}

export interface TextOptions {
  readonly text?: string | undefined;
  readonly file?: string | undefined;
}

/** The text from `--text`, `--file` or the one argument, or else from stdin; `-` means stdin too. */
export async function readInput(options: TextOptions, positionals: readonly string[]): Promise<string> {
  const given = [options.text, options.file, ...positionals].filter((x) => x !== undefined);
  if (given.length > 1) throw new UsageError('Give one text: as an argument, with --text, with --file or on stdin.');
  if (options.text !== undefined) return options.text;
  if (options.file !== undefined && options.file !== '-') return readText(options.file);
  if (positionals[0] !== undefined && positionals[0] !== '-') return positionals[0];
  if (process.stdin.isTTY && given.length === 0)
    throw new UsageError('There is no text: give it as an argument, with --file or on stdin.');
  return readStdin();
}

/** A text, and if there are several, the file that it is from. */
export interface Input {
  readonly file?: string;
  readonly text: string;
}

/** One text as in `readInput`, or those of several files: after `--file` every argument is a file, so that `*.py` works. */
export async function readInputs(args: Arguments): Promise<readonly Input[]> {
  const given = args.list('file');
  if (given.length === 0) return [{ text: await readInput({ text: args.text('text') }, args.positionals) }];
  if (args.text('text') !== undefined) throw new UsageError('Give --text or --file, not both.');
  const files = [...given, ...args.positionals];
  if (files.filter((file) => file === '-').length > 1) throw new UsageError('stdin (-) can be read only once.');
  const texts: Input[] = [];
  for (const file of files) texts.push({ file, text: await readInput({ file }, []) });
  return files.length === 1 ? [{ text: texts[0]!.text }] : texts;
}
