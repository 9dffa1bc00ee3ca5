/** What is said of a file that an agent may not read. */
import { GanderError } from '../errors/errors.js';

/** @throws GanderError `io` */
export function sharedPath(
  named: string,
  folders: readonly string[],
  found: { readonly path: string } | { readonly why: 'missing' | 'outside' },
): string {
  if ('path' in found) return found.path;
  const shared = folders.join(' and ');
  if (found.why === 'missing')
    throw new GanderError('io', `There is no file ${named}.`, `Give the path of a file in ${shared}.`);
  throw new GanderError(
    'io',
    `${named} was not read: it is in no folder that the user shared.`,
    folders.length === 0
      ? 'No folder is shared. Give the text itself, or ask the user to share a folder.'
      : `Give a file in ${shared}, or the text itself.`,
  );
}
