/** Where a command's text comes from. */
import { readFileSync, statSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { GanderError } from '../shared/errors.js';
import { checkTraceSize, decodeTrace } from '../trace/file.js';
import type { Trace } from '../trace/trace.js';
import { UsageError } from './usage.js';

function decode(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new GanderError('io', `${name} is not UTF-8 text.`, 'Convert it to UTF-8 first.', { cause });
  }
}

/** @throws GanderError `io` */
export function readBytes(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw ioError('read', file, cause);
  }
}

/** @throws GanderError `io`, `trace-invalid`, `trace-newer` */
export function readTrace(file: string): Trace {
  let size: number;
  try {
    size = statSync(file).size;
  } catch (cause) {
    throw ioError('read', file, cause);
  }
  checkTraceSize(size);
  return decodeTrace(readBytes(file));
}

export function readText(file: string): string {
  return decode(readBytes(file), file);
}

export function ioError(act: 'read' | 'write', file: string, cause: unknown): GanderError {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  return new GanderError('io', `Could not ${act} ${file}: ${code}.`, 'Check the path and its permissions.', { cause });
}

export interface TextOptions {
  readonly text?: string | undefined;
  readonly file?: string | undefined;
}

/** The text of `--text`, `--file`, the one argument, or else of stdin; `-` is stdin too. */
export async function readInput(options: TextOptions, positionals: readonly string[]): Promise<string> {
  const given = [options.text, options.file, ...positionals].filter((x) => x !== undefined);
  if (given.length > 1) throw new UsageError('Give one text: as an argument, with --text, with --file or on stdin.');
  if (options.text !== undefined) return options.text;
  if (options.file !== undefined && options.file !== '-') return readText(options.file);
  if (positionals[0] !== undefined && positionals[0] !== '-') return positionals[0];
  if (process.stdin.isTTY && given.length === 0)
    throw new UsageError('There is no text: give it as an argument, with --file or on stdin.');
  return decode(await buffer(process.stdin), 'stdin');
}
