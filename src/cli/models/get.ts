/** Fetches a model that ships: each file must have the size and the SHA-256 that this version of Gander knows. */
import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { GanderError } from '../../errors/errors.js';
import { bring, isBroken, isWhole, type Read, readAt, readFrom, reasonOf } from '../../travel/download.js';
import { hashOf } from '../../travel/files.js';
import { type ModelFile, type ModelName, filesOf } from './shipped.js';

export interface Getting {
  /** An address with http or https, or a folder; either contains a folder for each model. */
  readonly from: string;
  /** Contains a folder for each model, too. */
  readonly to: string;
  readonly fetch: typeof fetch;
  /** Called with how many bytes of the model are there so far. */
  readonly got: (bytes: number) => void;
}

/** Returns the model's folder. @throws GanderError */
export async function getModel(name: ModelName, getting: Getting): Promise<string> {
  const folder = path.join(getting.to, name);
  const arriving = `${folder}.part`;
  let before = 0;
  try {
    for (const file of filesOf(name)) {
      const whole = path.join(arriving, ...file.path.split('/'));
      const got = (bytes: number) => getting.got(before + bytes);
      if (!(await isWhole(whole, expected(file)))) await getFile(source(name, file, getting), whole, file, got);
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
  for (const file of filesOf(name))
    if (!(await isWhole(path.join(folder, ...file.path.split('/')), expected(file)))) return false;
  return true;
}

const isAddress = (text: string): boolean => /^https?:\/\//i.test(text);

const expected = ({ bytes, sha256 }: ModelFile) => ({
  ...{ bytes, most: bytes },
  isRight: async (file: string) => (await hashOf(file)) === sha256,
});

interface Place {
  readonly name: string;
  readonly read: Read;
}

/** The name in the list is a path with plain characters only. */
function source(name: ModelName, file: ModelFile, { from, fetch: fetched }: Getting): Place {
  if (!isAddress(from)) {
    const place = path.resolve(from, name, file.path);
    return { name: place, read: readFrom(place) };
  }
  const address = `${from.replace(/\/+$/, '')}/${name}/${file.path}`;
  const refuse = ({ status }: Response) =>
    new GanderError(
      'server-refused',
      `${address} answers ${status}.`,
      'Check the address after --from; it contains a folder for each model.',
    );
  return { name: address, read: readAt(address, fetched, { refuse }) };
}

async function getFile(from: Place, whole: string, file: ModelFile, got: Getting['got']): Promise<void> {
  if (await bring(from.read, whole, expected(file), { got })) return;
  throw new GanderError(
    'model-invalid',
    `${from.name} is not the file that this version of Gander expects (its size or SHA-256 differs).`,
    'Nothing of it was kept. Get it from where this version was published, or from a clone of its tag.',
  );
}

function asGanderError(cause: unknown, { from, to }: Getting): GanderError {
  if (cause instanceof GanderError) return cause;
  if (isAddress(from) && isBroken(cause))
    return new GanderError(
      'server-unreachable',
      `${from} cannot be reached, or breaks off (${reasonOf(cause)}).`,
      'Check the address and the network, then type the same again: it goes on where it stopped.',
      { cause },
    );
  const { code, path: at, message } = cause as NodeJS.ErrnoException;
  return new GanderError(
    'io',
    `${at ?? to} cannot be read or written (${code ?? message}).`,
    'Check --from, the permissions and the space on the disk.',
    { cause },
  );
}
