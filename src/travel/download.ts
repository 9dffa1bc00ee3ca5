/**
 * Brings a file here. What has arrived stays in a file beside it until it is whole and has been checked, so an interrupted
 * fetch goes on where it stopped.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { GanderError } from '../errors/errors.js';
import { bytesInWords } from '../formats/bytes.js';
import { sizeOf } from './files.js';

export interface Expected {
  /** Absent: as many as come, up to `most`. */
  readonly bytes?: number;
  readonly most: number;
  readonly isRight: (file: string) => Promise<boolean>;
}

/** A file's bytes from a place on; `start` is where they really start. Rejects with GanderError if that is not possible. */
export type Read = (at: number) => Promise<{ readonly bytes: Readable; readonly start: number }>;

export interface Bringing {
  /** Called with how many bytes of the file are there so far. */
  readonly got: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Tries in a row that bring nothing new. */
const mostVainTries = 3;

/** How long a server may send nothing. Milliseconds. */
const patienceMs = 60_000;

/** Whether the file was right; if not, nothing of it is kept. */
export async function bring(read: Read, to: string, expected: Expected, { got, signal }: Bringing): Promise<boolean> {
  await mkdir(path.dirname(to), { recursive: true });
  const part = `${to}.part`;
  const all = expected.bytes ?? Infinity;
  // What is of unknown length may be whole already.
  if (expected.bytes === undefined) await rm(part, { force: true });
  for (let vain = 0; (await sizeOf(part)) < all;) {
    const before = await sizeOf(part);
    try {
      await append(read, part, before, { ...expected, got });
      if (expected.bytes === undefined) break;
    } catch (cause) {
      vain = (await sizeOf(part)) > before ? 0 : vain + 1;
      if (!isBroken(cause) || signal?.aborted || vain >= mostVainTries) throw cause;
    }
  }
  if (!(await isWhole(part, expected))) {
    await rm(part);
    return false;
  }
  await rename(part, to);
  return true;
}

export async function isWhole(file: string, { bytes, isRight }: Expected): Promise<boolean> {
  const size = await sizeOf(file);
  return size > 0 && (bytes === undefined || size === bytes) && isRight(file);
}

/** Adds what is missing from `at` on; never more than a byte too many. */
async function append(read: Read, part: string, at: number, limit: Expected & Pick<Bringing, 'got'>): Promise<void> {
  const { bytes, start } = await read(at);
  const most = limit.bytes ?? limit.most;
  let size = start;
  const counted = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      size += chunk.length;
      limit.got(size);
      yield chunk;
      if (size > most) return; // it is not what was expected
    }
  };
  await pipeline(bytes, counted, createWriteStream(part, { flags: start > 0 ? 'a' : 'w' }));
  if (limit.bytes === undefined && size > most)
    throw new GanderError('expert-invalid', `More than ${bytesInWords(most)} came.`, 'Check the address.');
  if (size < (limit.bytes ?? 0)) throw new TypeError(`it ended after ${size} of ${limit.bytes} bytes`);
}

export const readFrom =
  (file: string): Read =>
  (at) =>
    Promise.resolve({ bytes: createReadStream(file, { start: at }), start: at });

/** @param refuse the error for an answer that is none */
export function readAt(
  address: string,
  fetched: typeof fetch,
  { signal, refuse }: { readonly signal?: AbortSignal | undefined; readonly refuse: (response: Response) => Error },
): Read {
  let tag: string | undefined;
  return async (at) => {
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(new DOMException('it is silent', 'TimeoutError')), patienceMs).unref();
    const response = await fetched(address, {
      signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
      headers: {
        // A part of what was compressed on the way would be of no use.
        'Accept-Encoding': 'identity',
        ...(at > 0 && { Range: `bytes=${at}-` }),
        ...(at > 0 && tag !== undefined && { 'If-Range': tag }),
      },
    });
    if (!response.ok || !response.body) {
      await response.body?.cancel();
      throw refuse(response);
    }
    // The web's types and Node's differ, depending on who asks.
    const body: unknown = response.body;
    const strong = response.headers.get('etag');
    if (strong?.startsWith('"')) tag = strong;
    const chunks = async function* (sent: AsyncIterable<Uint8Array>) {
      try {
        for await (const chunk of sent) {
          timer.refresh();
          yield chunk;
        }
      } finally {
        clearTimeout(timer);
      }
    };
    // A server that knows no ranges, or has another file by now, sends all of it.
    const start = response.status === 206 ? at : 0;
    const told = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
    if (told !== undefined && Number(told) !== start) throw new TypeError(`it sent bytes from ${told}, not ${start}`);
    return { bytes: Readable.from(chunks(Readable.fromWeb(body as ReadableStream))), start };
  };
}

/** As fetch and its body report a broken connection, and we a silent or a short one. */
export const isBroken = (cause: unknown): boolean =>
  cause instanceof TypeError || (cause as Error).name === 'TimeoutError';

/** Why a connection broke, in the words of whoever knows best. */
export function reasonOf(cause: unknown): string {
  const { message, cause: inner } = cause as Error;
  return inner instanceof Error ? inner.message : message;
}
