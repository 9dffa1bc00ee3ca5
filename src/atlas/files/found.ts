/** The files of a corpus: those that are given, those in folders, and those that match a pattern, always in the same order. */
import { lstatSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { GanderError } from '../../errors/errors.js';
import { readError } from './content.js';
import { folderEnding } from '../place.js';
import { stdin } from './rows.js';

export interface Found {
  readonly file: string;
  /** The folder that was given; of a pattern, the part before the first wildcard; for a file that was given directly, the parent of its own folder. */
  readonly root: string;
}

/** At least one. @throws GanderError `io` if a given file or folder cannot be read, or if a pattern matches nothing */
export function filesOf(given: readonly string[]): Found[] {
  const files = given.flatMap((name) => {
    if (name === stdin) return [{ file: stdin, root: '' }];
    // A name with a wildcard in it may be that of a file.
    if (wildcard.test(name) && !statSync(name, { throwIfNoEntry: false })) return matching(name);
    const stat = read(name, () => statSync(name));
    return stat.isDirectory() ? within(name, name) : [{ file: name, root: path.join(path.dirname(name), '..') }];
  });
  if (files.length > 0) return files;
  throw new GanderError('io', 'No files were found.', 'Give files, or folders with files.');
}

function read<T>(name: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw readError(name, cause);
  }
}

/** Skips links, which may form a circle, hidden files, and atlases with their journals. */
function within(folder: string, root: string): Found[] {
  const found: Found[] = [];
  const entries = read(folder, () => readdirSync(folder, { withFileTypes: true })).filter(
    ({ name }) => !name.startsWith('.') && !name.includes(folderEnding),
  );
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) for (const one of within(file, root)) found.push(one);
    else if (entry.isFile()) found.push({ file, root });
  }
  return found;
}

const wildcard = /[*?{]/;

function matching(given: string): Found[] {
  const pattern = withSlashes(given);
  const parts = pattern.split('/');
  const fixed = parts.slice(
    0,
    parts.findIndex((part) => wildcard.test(part)),
  );
  const root = fixed.join('/') || (pattern.startsWith('/') ? '/' : '.');
  const rest = parts.slice(fixed.length).join('/');
  const matches = new RegExp(`^${patternSource(rest)}$`, 'u');
  const found = within(root, root).filter(({ file }) => matches.test(withSlashes(path.relative(root, file))));
  if (found.length > 0) return found;
  throw new GanderError('io', `No file matches ${given}.`, 'Write * for any name, ** for any folders.');
}

/** `*` and `?` within a name, `**` over any folders, `{a,b}` either. */
function patternSource(pattern: string): string {
  return pattern.replace(/\*\*\/|\*|\?|\{[^{}]*\}|[\\^$.|+()[\]{}/-]/g, (part) => {
    if (part === '**/') return '(?:[^/]+/)*';
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    if (part.length > 1) return `(?:${part.slice(1, -1).split(',').map(patternSource).join('|')})`;
    return part === '-' ? part : `\\${part}`;
  });
}

/** With slashes on every platform, so that shards from different machines can be merged. */
export const withSlashes = (file: string) => file.split(path.sep).join('/');

export function bytesOf(files: readonly Found[]): number {
  return files.reduce((sum, { file }) => sum + sizeOf(file), 0);
}

export function sizeOf(file: string): number {
  return lstatSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
