import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { poolLimits } from '../../checks/limits.js';

/** A model's folders are nested no deeper, and have no more files. */
const deepest = 3;
const mostFiles = 50_000;

/** Size of the files in a folder, or beside a file. Links are not followed; unreadable files count 0, as the engine reports them. */
export function bytesIn(folder: string): number {
  let bytes = 0;
  let left = mostFiles;
  const add = (at: string, depth: number) => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      if (left-- <= 0) return;
      const file = path.join(at, entry.name);
      if (entry.isDirectory() && depth < deepest) add(file, depth + 1);
      else if (entry.isFile()) bytes += statSync(file).size;
    }
  };
  try {
    add(statSync(folder).isFile() ? path.dirname(folder) : folder, 1);
  } catch {
    return bytes;
  }
  return bytes;
}

/** Bytes per second on a slow machine: a model is read, hashed, copied, written and hashed again before it runs. */
const slowest = 10 * 2 ** 20;

/** How much longer than anything else loading a model of this size may take: whole seconds, in milliseconds. */
export function loadingTime(bytes: number): number {
  return 1000 * Math.floor(Math.min(bytes, poolLimits.bytes) / slowest);
}
