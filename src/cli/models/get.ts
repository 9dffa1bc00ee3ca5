/**
 * Fetches a model that ships: each file must have the size and the SHA-256 that this version of Gander knows. What has
 * arrived stays beside the model until it is whole, so an interrupted fetch goes on where it stopped.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GanderError } from '../../errors/errors.js';
import { type ModelFile, type ModelName, filesOf } from './shipped.js';

export interface Getting {
  /** An address with http or https, or a folder; either contains a folder for each model. */
  readonly from: string;
  /** Contains a folder for each model, too. */
  readonly to: string;
  /** Called with how many bytes of the model are there so far. */
  readonly got: (bytes: number) => void;
}

/** Tries in a row that bring nothing new. */
const mostVainTries = 3;

/** How long a server may send nothing. Milliseconds. */
const patienceMs = 60_000;

/** Returns the model's folder. @throws GanderError */
export async function getModel(name: ModelName, getting: Getting): Promise<string> {
  const folder = path.join(getting.to, name);
  const arriving = `${folder}.part`;
  let before = 0;
  try {
    for (const file of filesOf(name)) {
      const whole = path.join(arriving, ...file.path.split('/'));
      await mkdir(path.dirname(whole), { recursive: true });
      const got = (bytes: number) => getting.got(before + bytes);
      if (!(await isWhole(whole, file))) await getFile(source(getting.from, name, file), whole, file, got);
      before += file.bytes;
    }
    await rm(folder, { recursive: true, force: true });
    await rename(arriving, folder);
  } catch (cause) {
    throw asGanderError(cause, getting);
  }
  return folder;
}

/** Whether a model's folder has what this version of Gander expects. */
export async function isComplete(folder: string, name: ModelName): Promise<boolean> {
  for (const file of filesOf(name)) if (!(await isWhole(path.join(folder, ...file.path.split('/')), file))) return false;
  return true;
}

export const isAddress = (text: string): boolean => /^https?:\/\//i.test(text);

/** The name in the list is a path with plain characters only. */
function source(from: string, name: ModelName, file: ModelFile): string {
  return isAddress(from) ? `${from.replace(/\/+$/, '')}/${name}/${file.path}` : path.resolve(from, name, file.path);
}

async function getFile(from: string, whole: string, file: ModelFile, got: Getting['got']): Promise<void> {
  const part = `${whole}.part`;
  for (let vain = 0; (await sizeOf(part)) < file.bytes;) {
    const before = await sizeOf(part);
    try {
      await append(from, part, before, file, got);
    } catch (cause) {
      vain = (await sizeOf(part)) > before ? 0 : vain + 1;
      if (!isBroken(cause) || vain >= mostVainTries) throw cause;
    }
  }
  if (!(await isWhole(part, file))) {
    await rm(part);
    throw new GanderError(
      'model-invalid',
      `${from} is not the file that this version of Gander expects (its size or SHA-256 differs).`,
      'Nothing of it was kept. Get it from where this version was published, or from a clone of its tag.',
    );
  }
  await rename(part, whole);
}

/** Adds what is missing from `at` on; never more than a byte too many. */
async function append(from: string, part: string, at: number, file: ModelFile, got: Getting['got']): Promise<void> {
  const { bytes, start } = isAddress(from)
    ? await download(from, at)
    : { bytes: createReadStream(from, { start: at }), start: at };
  let size = start;
  const counted = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      size += chunk.length;
      got(size);
      yield chunk;
      if (size > file.bytes) return; // its hash will differ
    }
  };
  await pipeline(bytes, counted, createWriteStream(part, { flags: start > 0 ? 'a' : 'w' }));
  if (size < file.bytes) throw new TypeError(`${from} ended after ${size} of ${file.bytes} bytes`);
}

async function download(address: string, at: number) {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(new DOMException('it is silent', 'TimeoutError')), patienceMs).unref();
  const response = await fetch(address, {
    signal: silence.signal,
    ...(at > 0 && { headers: { Range: `bytes=${at}-` } }),
  });
  if (!response.ok || !response.body)
    throw new GanderError(
      'server-refused',
      `${address} answers ${response.status}.`,
      'Check the address after --from; it contains a folder for each model.',
    );
  const chunks = async function* (body: AsyncIterable<Uint8Array>) {
    try {
      for await (const chunk of body) {
        timer.refresh();
        yield chunk;
      }
    } finally {
      clearTimeout(timer);
    }
  };
  // A server that knows no ranges sends all of it again.
  return { bytes: Readable.from(chunks(response.body)), start: response.status === 206 ? at : 0 };
}

async function isWhole(name: string, { bytes, sha256 }: ModelFile): Promise<boolean> {
  if ((await sizeOf(name)) !== bytes) return false;
  const hash = createHash('sha256');
  await pipeline(createReadStream(name), hash);
  return hash.digest('hex') === sha256;
}

const sizeOf = async (name: string): Promise<number> => (await stat(name).catch(() => undefined))?.size ?? 0;

/** As fetch and its body report a broken connection, and we a silent or a short one. */
const isBroken = (cause: unknown) => cause instanceof TypeError || (cause as Error).name === 'TimeoutError';

function asGanderError(cause: unknown, { from, to }: Getting): GanderError {
  if (cause instanceof GanderError) return cause;
  const { code, path: at, message } = cause as NodeJS.ErrnoException;
  if (isAddress(from) && isBroken(cause)) {
    const reason = cause instanceof TypeError && cause.cause instanceof Error ? cause.cause.message : message;
    return new GanderError(
      'server-unreachable',
      `${from} cannot be reached, or breaks off (${reason}).`,
      'Check the address and the network, then type the same again: it goes on where it stopped.',
      { cause },
    );
  }
  return new GanderError(
    'io',
    `${at ?? to} cannot be read or written (${code ?? message}).`,
    'Check --from, the permissions and the space on the disk.',
    { cause },
  );
}
