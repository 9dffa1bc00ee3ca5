import { lstatSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { GanderError } from '../errors/errors.js';

/** Nothing in a pool has cause for a longer path; longer ones only serve to make trouble. */
const longestPath = 1024;

/**
 * The absolute path of `relative` inside `root`.
 *
 * @throws GanderError `pool-unsafe-path` for an absolute path, one with `..`, or a link that leads out of `root`;
 * `pool-invalid` if nothing is there or links go round in a circle.
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
  // Both platforms' spellings are refused on each platform: a pool must not mean something else elsewhere.
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

/** As `resolveInside`, and it must be an ordinary file (a device or a pipe could block a reader for ever). */
export function fileInside(root: string, relative: string): string {
  const file = resolveInside(root, relative);
  if (!lstatSync(realpathSync(file)).isFile()) {
    throw new GanderError('pool-invalid', `"${relative}" is not a file.`, 'Restore the file, or fetch the pool again.');
  }
  return file;
}
