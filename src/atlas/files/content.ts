/** What a document holds: text, or the reason why it holds none. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { GanderError } from '../../errors/errors.js';

export interface Content {
  readonly bytes: Uint8Array;
  /** The output that an encoder-decoder is given. */
  readonly target?: string;
}

/** Why a document is left out of the atlas. */
export class Unfit extends Error {
  override readonly name = 'Unfit';
}

/** Longer documents are left out. In bytes. */
export const longest = 64 * 2 ** 20;

export const tooLong = () => new Unfit(`holds more than ${longest / 2 ** 20} MB`);

/** Bytes in which a zero is looked for: a text has none, other files mostly have one near the beginning. */
const looked = 8192;

/** @throws Unfit */
export function readWhole(file: string): Uint8Array {
  try {
    if (statSync(file).size > longest) throw tooLong();
    return readFileSync(file);
  } catch (cause) {
    if (cause instanceof Unfit) throw cause;
    throw new Unfit(`cannot be read: ${(cause as NodeJS.ErrnoException).code ?? String(cause)}`, { cause });
  }
}

/** @throws Unfit if the bytes are not text */
export function textOf(bytes: Uint8Array): string {
  if (bytes.length === 0) throw new Unfit('is empty');
  if (bytes.subarray(0, looked).includes(0)) throw new Unfit('is binary');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Unfit('is not UTF-8', { cause });
  }
}

/** SHA-256 in hex. */
export function hashOf(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

export function hashOfContent({ bytes, target }: Content): string {
  return target === undefined ? hashOf(bytes) : hashOf(Buffer.concat([bytes, Buffer.from(`\0${target}`)]));
}

export function readError(file: string, cause: unknown): GanderError {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  return new GanderError('io', `Could not read ${file}: ${code}.`, 'Check the path and its permissions.', { cause });
}
