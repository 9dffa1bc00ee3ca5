import { readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Random } from '../random.js';
import { asText } from './json.js';

/** Absolute paths of all files in a folder, in the same order on every machine. */
export function filesIn(folder: string, ending = ''): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}

/** Rewrites a file with the result of `change`. */
export function rewrite(
  file: string,
  change: (bytes: Uint8Array) => { readonly bytes: Uint8Array | string; readonly how: string },
): string {
  const { bytes, how } = change(readFileSync(file));
  writeFileSync(file, bytes);
  return `${path.basename(file)}, ${how}`;
}

export function rewriteJson(file: string, change: (json: unknown) => string): string {
  return rewrite(file, (bytes) => {
    const json: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    const how = change(json);
    return { bytes: asText(json), how };
  });
}

/** Replaces a file by a link: out of the pool, to itself, to a device. */
export function linkInstead(folder: string, file: string, random: Random): string {
  const target = random.pick([
    '/etc/passwd',
    '/dev/zero',
    '/proc/self/environ',
    file,
    '..',
    '/nowhere',
    path.join(folder, 'pool.json'),
  ]);
  rmSync(file);
  symlinkSync(target, file);
  return `${path.basename(file)} leads to ${path.relative(folder, target) === '' ? 'itself' : path.basename(target)}`;
}
