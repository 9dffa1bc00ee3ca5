/** The one way in which a person's file is written. */
import { randomUUID } from 'node:crypto';
import type { Stats } from 'node:fs';
import { type FileHandle, open, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Bytes, or text, whole or in parts: a long one does not fit one string. */
export type Content = Uint8Array | string | Iterable<string>;

/**
 * Saves whole or not at all: what stands under the name stays until all of the new file is on the disk, and stays for good
 * where that fails. Rejects with Node's own error.
 */
export async function saveFile(file: string, content: Content): Promise<void> {
  const old = await found(file);
  // A pipe, a device or what the shell has opened: there is nothing to lose, and it must not be replaced.
  if (old && (!old.isFile() || /^\/(dev|proc)\//.test(path.resolve(file)))) return writeFile(file, parts(content));
  // Where a link leads: it stays one.
  const target = old ? await realpath(file) : file;
  const beside = path.join(path.dirname(target), `.gander-${randomUUID()}.part`);
  try {
    const handle = await open(beside, 'wx');
    try {
      await fill(handle, content, old);
    } finally {
      await handle.close();
    }
    await rename(beside, target);
  } catch (cause) {
    await rm(beside, { force: true });
    throw cause;
  }
}

async function fill(handle: FileHandle, content: Content, old: Stats | undefined): Promise<void> {
  if (old) await handle.chmod(old.mode & 0o777);
  await handle.writeFile(parts(content));
  await handle.sync();
}

async function found(file: string): Promise<Stats | undefined> {
  try {
    return await stat(file);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
}

/** UTF-16 units that are written at once. */
const atOnce = 1 << 20;

function parts(content: Content): Uint8Array | string | Iterable<string> {
  return typeof content === 'string' || content instanceof Uint8Array ? content : joined(content);
}

function* joined(lines: Iterable<string>): Generator<string> {
  let part = '';
  for (const line of lines) {
    part += line;
    if (part.length < atOnce) continue;
    yield part;
    part = '';
  }
  yield part;
}
