import { GanderError } from '../errors/errors.js';

/** Says that a file could not be written. */
export function writeError(file: string, cause: unknown): GanderError {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  return new GanderError('io', `Could not write ${file}: ${code}.`, 'Check the path, its permissions and free space.', {
    cause,
  });
}
