/** The one way to write a person's file. */
import { randomUUID } from 'node:crypto';
import type { Stats } from 'node:fs';
import { type FileHandle, open, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Bytes or text. Text may come in parts, because a long one does not fit into one string. */
export type Content = Uint8Array | string | Iterable<string>;

/**
 * Saves whole or not at all: an existing file stays until all of the new one is on disk, and stays for good if that fails.
 * Rejects with Node's own error.
 */
export async function saveFile(file: string, content: Content): Promise<void> {
  const old = await found(file);
  // A pipe, a device or a descriptor opened by the shell: there is nothing to lose, and it must not be replaced.
  if (old && (!old.isFile() || /^\/(dev|proc)\//.test(path.resolve(file)))) return writeFile(file, parts(content));
  // Write to the target of a link, so that the link stays.
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

/** UTF-16 units per write. */
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
