import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';

/**
 * A folder of entries named by the hash of what they were made from. An entry is made in a temporary folder and renamed,
 * so that it is there whole or not at all; it carries a seal (sizes of all files, checksums of the small ones), so that a
 * damaged one is noticed and made again.
 */
export class Cache {
  readonly #hashes: Record<string, { size: number; mtime: number; hash: string }>;

  constructor(
    readonly folder: string,
    /** Entries kept; those not used for longest go first. */
    readonly keep = 4,
  ) {
    mkdirSync(folder, { recursive: true });
    this.#hashes = readJsonOr(this.#hashFile, {});
  }

  /** The entry's folder, made by `make` if it is not there or not sound. */
  entry(key: string, make: (folder: string) => void): string {
    const final = path.join(this.folder, key);
    if (isSound(final)) {
      const now = new Date();
      utimesSync(final, now, now);
      return final;
    }
    const temporary = `${final}.${process.pid}.tmp`;
    rmSync(temporary, { recursive: true, force: true });
    mkdirSync(temporary);
    try {
      make(temporary);
      writeFileSync(path.join(temporary, sealName), JSON.stringify(seal(temporary)));
      rmSync(final, { recursive: true, force: true });
      try {
        renameSync(temporary, final);
      } catch (error) {
        // Another process may have been quicker; its entry is as good.
        if (!isSound(final)) throw error;
      }
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
    this.#prune(key);
    return final;
  }

  /** SHA-256 of a file, remembered by path, size and time so that a large one is read once. */
  hash(file: string): string {
    const { size, mtimeMs } = statSync(file);
    const known = this.#hashes[file];
    if (known?.size === size && known.mtime === mtimeMs) return known.hash;
    const hash = hashFile(file);
    this.#hashes[file] = { size, mtime: mtimeMs, hash };
    return hash;
  }

  /** Writes down the hashes learnt. */
  save(): void {
    const temporary = `${this.#hashFile}.${process.pid}.tmp`;
    const present = Object.entries(this.#hashes).filter(([file]) => existsSync(file));
    writeFileSync(temporary, JSON.stringify(Object.fromEntries(present)));
    renameSync(temporary, this.#hashFile);
  }

  get #hashFile(): string {
    return path.join(this.folder, 'hashes.json');
  }

  #prune(current: string): void {
    const hour = 3_600_000;
    const entries = readdirSync(this.folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== current)
      .map(({ name }) => ({
        name,
        used: statSync(path.join(this.folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0,
      }))
      .sort((a, b) => b.used - a.used);
    // What a killed process left half made.
    const abandoned = entries.filter(({ name, used }) => name.endsWith('.tmp') && used < Date.now() - hour);
    const surplus = entries.filter(({ name }) => !name.endsWith('.tmp')).slice(this.keep - 1);
    for (const { name } of [...abandoned, ...surplus])
      rmSync(path.join(this.folder, name), { recursive: true, force: true });
  }
}

const sealName = 'seal.json';
const smallFile = 8 * 2 ** 20;

type Seal = Record<string, { size: number; hash?: string }>;

function seal(folder: string): Seal {
  const sealed: Seal = {};
  for (const name of readdirSync(folder).sort()) {
    const file = path.join(folder, name);
    const { size } = statSync(file);
    sealed[name] = size <= smallFile ? { size, hash: hashFile(file) } : { size };
  }
  return sealed;
}

function isSound(folder: string): boolean {
  const sealed = readJsonOr<Seal | undefined>(path.join(folder, sealName), undefined);
  if (!sealed) return false;
  return Object.entries(sealed).every(([name, { size, hash }]) => {
    const file = path.join(folder, name);
    const stat = statSync(file, { throwIfNoEntry: false });
    return stat?.size === size && (hash === undefined || hashFile(file) === hash);
  });
}

function hashFile(file: string): string {
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

function readJsonOr<T>(file: string, otherwise: T): T {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } catch {
    return otherwise;
  }
}
