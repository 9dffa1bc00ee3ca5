import { lstatSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { GanderError } from '../errors/errors.js';

/** No pool needs a longer path; a longer one can only be an attack or a mistake. */
const longestPath = 1024;

/**
 * The absolute path of `relative` inside `root`.
 *
 * @throws GanderError `pool-unsafe-path` for an absolute path, one with `..`, or a link that leads out of `root`;
 * `pool-invalid` if nothing is there or links form a cycle.
 */
export function resolveInside(root: string, relative: string): string {
  const unsafe = (why: string) =>
    new GanderError(
      'pool-unsafe-path',
      `The path "${relative.slice(0, 80)}" ${why}.`,
      'Use only paths inside the pool folder.',
    );
  if (relative.length === 0 || relative.length > longestPath || relative.includes('\0'))
    throw unsafe('is not a usable path');
  // Absolute paths of either platform are refused on both, so that a pool means the same everywhere.
  if (path.posix.isAbsolute(relative) || path.win32.isAbsolute(relative) || /^[a-z]:/i.test(relative))
    throw unsafe('is absolute');
  if (relative.split(/[\\/]/).includes('..')) throw unsafe('leads upwards');
  const joined = path.join(root, relative);
  let real: string;
  try {
    real = realpathSync(joined);
  } catch (cause) {
    throw new GanderError(
      'pool-invalid',
      `"${relative}" is missing or cannot be read in the pool folder.`,
      'Restore the file, or fetch the pool again.',
      { cause },
    );
  }
  const realRoot = realpathSync(root);
  if (real !== realRoot && !real.startsWith(realRoot + path.sep))
    throw unsafe('is a link that leads out of its folder');
  return joined;
}

/** Like `resolveInside`, but it must be an ordinary file (a device or a pipe could block a reader for ever). */
export function fileInside(root: string, relative: string): string {
  const file = resolveInside(root, relative);
  if (!lstatSync(realpathSync(file)).isFile()) {
    throw new GanderError('pool-invalid', `"${relative}" is not a file.`, 'Restore the file, or fetch the pool again.');
  }
  return file;
}
