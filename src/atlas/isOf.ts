import type { SourceDescription } from '../requests/description.js';
import type { AtlasRun } from './about.js';

/** Whether an atlas is of a model: by the hash of its files or, for one that a server runs, by its name. */
export function isOf(run: Pick<AtlasRun, 'name' | 'hash'>, { hash, name }: SourceDescription): boolean {
  return run.hash === (hash ?? null) && (run.hash !== null || run.name === name);
}
