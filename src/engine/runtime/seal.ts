import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { z } from 'zod';

/**
 * What a folder contained when it was sealed. Opening must be quick, so a file is only hashed again if its stamp differs:
 * writing to it or replacing it changes the stamp, even if the modification time is set back.
 */
const sealSchema = z
  .record(z.string(), z.strictObject({ stamp: z.string(), hash: z.string() }))
  .refine((files) => Object.keys(files).length > 0);

const sealName = 'seal.json';

/** Seals files of the folder, by default all of them, those in subfolders included. @returns the seal's text */
export function seal(folder: string, names: readonly string[] = filesIn(folder), into = sealName): string {
  const sealed: z.infer<typeof sealSchema> = {};
  // Two links to one file are hashed once.
  const known = new Map<string, string>();
  for (const name of names) {
    if (name === into) continue;
    const file = path.join(folder, name);
    const stamp = stampOf(statSync(file, { bigint: true }));
    const hash = known.get(stamp) ?? hashFile(file);
    known.set(stamp, hash);
    sealed[name] = { stamp, hash };
  }
  const text = JSON.stringify(sealed);
  writeFileSync(path.join(folder, into), text);
  return text;
}

/** Relative paths, sorted. */
function filesIn(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
  return files.map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name))).sort();
}

/** The seal's text if all files are as they were sealed; undefined if one is not, or cannot be read. */
export function unbroken(folder: string, by = sealName): string | undefined {
  try {
    const text = readFileSync(path.join(folder, by), 'utf8');
    const sealed = sealSchema.parse(JSON.parse(text));
    let restamped = false;
    for (const [name, file] of Object.entries(sealed)) {
      const stamp = stampOf(statSync(path.join(folder, name), { bigint: true }));
      if (stamp === file.stamp) continue;
      if (hashFile(path.join(folder, name)) !== file.hash) return undefined;
      file.stamp = stamp;
      restamped = true;
    }
    return restamped ? renew(path.join(folder, by), JSON.stringify(sealed)) : text;
  } catch {
    return undefined;
  }
}

/** A folder that was copied or restored is hashed once, not at every opening. */
function renew(file: string, text: string): string {
  const temporary = `${file}.${process.pid}`;
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, file);
  } catch {
    rmSync(temporary, { force: true });
  }
  return text;
}

/** Changes when a file is written to or replaced: its change time, unlike its modification time, cannot be set back. */
export function stampOf({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [ino, size, mtimeNs, ctimeNs].join(':');
}

/** SHA-256 in hex, read piece by piece. */
export function hashFile(file: string): string {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(1 << 20);
  const fd = openSync(file, 'r');
  try {
    for (let count; (count = readSync(fd, buffer)) > 0;) hash.update(buffer.subarray(0, count));
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}
