/** Folders that were shared with an agent. It may read their files, and no others. */
import { realpath } from 'node:fs/promises';
import path from 'node:path';

/** `outside`: it is in none of the folders, or leads out of them by a link. */
export type Found = { readonly path: string } | { readonly why: 'missing' | 'outside' };

/**
 * Where a file really is, with links followed.
 * @param named an absolute path, or one in a folder
 */
export async function findShared(named: string, folders: readonly string[]): Promise<Found> {
  const roots = await Promise.all(folders.map(real));
  const candidates = path.isAbsolute(named) ? [named] : folders.map((folder) => path.join(folder, named));
  // What is outside is not even looked at: the answer would tell whether it exists.
  const inside = candidates.filter((one) => isWithinAny([...folders, ...roots], path.resolve(one)));
  const found = await Promise.all(inside.map(real));
  const shared = found.find((file) => file !== undefined && isWithinAny(roots, file));
  if (shared !== undefined) return { path: shared };
  return { why: inside.length > 0 && found.every((file) => file === undefined) ? 'missing' : 'outside' };
}

const real = (file: string) => realpath(file).catch(() => undefined);

function isWithinAny(folders: readonly (string | undefined)[], file: string): boolean {
  return folders.some((folder) => folder !== undefined && isWithin(path.resolve(folder), file));
}

function isWithin(folder: string, file: string): boolean {
  const way = path.relative(folder, file);
  return way !== '..' && !way.startsWith(`..${path.sep}`) && !path.isAbsolute(way);
}
