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
import { hostname } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { dataFiles } from '../../graph/external.js';
import { parseModel } from '../../graph/model.js';
import { isAlive } from '../../checks/alive.js';
import { poolLimits } from '../../checks/limits.js';
import { GanderError } from '../../errors/errors.js';
import { bytesInWords } from '../../formats/bytes.js';
import { hashFile, seal, stampOf, unbroken } from './seal.js';

/** An entry as it was found or made. */
export interface Entry {
  readonly folder: string;
  /** Changes when the entry is made anew. */
  readonly seal: string;
}

/** By file: its hash, the files with its weights if it is a model that was asked for them, and its stamp at that time. */
const hashesSchema = z.record(
  z.string(),
  z.strictObject({
    stamp: z.string(),
    hash: z.string(),
    dataFiles: z.record(z.string(), z.number().nullable()).exactOptional(),
  }),
);
type Hashes = z.infer<typeof hashesSchema>;

/** A file that changed less than this long ago may change again without a new time: FAT's times are 2 s apart. Milliseconds. */
const settled = 2000;

/**
 * A folder of entries, each named by the hash of what it was made from. An entry is made in a temporary folder and renamed,
 * so it is complete or absent; it is sealed, so damage is noticed and the entry is made again.
 *
 * Several processes may share the folder, and entries may disappear at any time. What no answer depends on (times of use,
 * remembered hashes, tidying up) may fail silently.
 */
export class Cache {
  readonly #hashes: Map<string, Hashes[string]>;

  /** @throws GanderError `io` if the folder does not exist and cannot be made. */
  constructor(
    readonly folder: string,
    /** How many entries are kept; those that were unused for longest are removed first. */
    readonly keep = 4,
  ) {
    try {
      makeFolder(folder);
    } catch (cause) {
      throw this.#trouble(cause);
    }
    this.#hashes = new Map(Object.entries(readHashes(this.#hashFile)));
  }

  /**
   * The entry, made by `make` if it is missing or damaged.
   *
   * @param key 32 hexadecimal digits
   * @throws GanderError `io` if it cannot be written, and what `make` throws
   */
  entry(key: string, make: (folder: string) => void): Entry {
    const folder = path.join(this.folder, key);
    const entry = { folder, seal: unbroken(folder) ?? this.write(() => this.#make(key, folder, make)) };
    touch(entry);
    return entry;
  }

  /** Does work that writes into the folder. @throws GanderError `io` if it cannot be written, and what `work` throws */
  write<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#isOurs(error) ? this.#trouble(error) : error;
    }
  }

  /** Whether the entry is unchanged; also counts as a use of it, so that it is not removed soon. */
  holds(entry: Entry): boolean {
    if (unbroken(entry.folder) !== entry.seal) return false;
    touch(entry);
    return true;
  }

  /**
   * SHA-256 of a file, remembered so that a large file is read only once.
   *
   * @throws GanderError `io` if it cannot be read
   */
  hash(file: string): string {
    try {
      const stat = statSync(file, { bigint: true });
      const stamp = stampOf(stat);
      const known = this.#hashes.get(file);
      if (known?.stamp === stamp) return known.hash;
      const hash = hashFile(file);
      if (Date.now() - Number(stat.ctimeMs) > settled) this.#hashes.set(file, { stamp, hash });
      return hash;
    } catch (cause) {
      throw new GanderError('io', `${file} cannot be read (${codeOf(cause)}).`, 'Check its permissions.', { cause });
    }
  }

  /**
   * Files with an ONNX model's weights, remembered like its hash. A file that is not a model has none: whoever reads it reports
   * what is wrong with it.
   *
   * @throws GanderError `io` if it cannot be read, `base-invalid` if a data file is far larger than what the model uses of it
   */
  dataFiles(model: string): readonly string[] {
    this.hash(model);
    const known = this.#hashes.get(model);
    const found = known?.dataFiles ?? dataFilesIn(model);
    if (known) this.#hashes.set(model, { ...known, dataFiles: found });
    for (const [name, used] of Object.entries(found)) checkDataSize(path.dirname(model), name, used);
    return Object.keys(found);
  }

  /** Saves the remembered hashes. */
  save(): void {
    const temporary = `${this.#hashFile}.${owner}.tmp`;
    unlessItFails(() => {
      const present = [...this.#hashes].filter(([file]) => existsSync(file));
      writeFileSync(temporary, JSON.stringify(Object.fromEntries(present)));
      renameSync(temporary, this.#hashFile);
    });
    remove(temporary);
  }

  get #hashFile(): string {
    return path.join(this.folder, 'hashes.json');
  }

  #make(key: string, folder: string, make: (folder: string) => void): string {
    this.#tidy();
    const temporary = `${folder}.${owner}.tmp`;
    try {
      remove(temporary);
      // The whole cache folder may be gone.
      makeFolder(temporary);
      make(temporary);
      const sealed = this.#put(temporary, folder, seal(temporary));
      this.#prune(key);
      return sealed;
    } finally {
      remove(temporary);
    }
  }

  /** @returns the seal of the entry that is there afterwards: another process may have been faster, and its entry is as good. */
  #put(temporary: string, folder: string, sealed: string): string {
    for (let tries = 1; ; tries++) {
      try {
        renameSync(temporary, folder);
        return sealed;
      } catch (error) {
        const theirs = unbroken(folder);
        if (theirs !== undefined) return theirs;
        if (tries === 3) throw error;
        discard(folder);
      }
    }
  }

  #prune(current: string): void {
    unlessItFails(() => {
      const entries = readdirSync(this.folder)
        .filter((name) => /^[0-9a-f]{32}$/.test(name) && name !== current)
        .map((name) => path.join(this.folder, name))
        .map((folder) => ({ folder, used: statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
        .sort((a, b) => b.used - a.used);
      for (const { folder } of entries.slice(this.keep - 1)) discard(folder);
    });
  }

  /** Removes what killed processes left unfinished. */
  #tidy(): void {
    unlessItFails(() => {
      for (const name of readdirSync(this.folder)) {
        const [, host, pid] = leftover.exec(name) ?? [];
        if (host === undefined) continue;
        const file = path.join(this.folder, name);
        const isOld = Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) > 3_600_000;
        if (isOld || (host === thisHost && !isAlive(Number(pid)))) remove(file);
      }
    });
  }

  /** Whether the cache's disk or folder is to blame, not what the entry is made from. */
  #isOurs(thrown: unknown): boolean {
    const { path: at, dest } = thrown as { path?: unknown; dest?: unknown };
    const inside = (name: unknown) => typeof name === 'string' && name.startsWith(this.folder + path.sep);
    return isFull(thrown) || inside(at) || inside(dest);
  }

  #trouble(cause: unknown): GanderError {
    return isFull(cause)
      ? new GanderError('io', `There is no space left for the cache folder ${this.folder}.`, 'Free some space.', {
          cause,
        })
      : new GanderError(
          'io',
          `The cache folder ${this.folder} cannot be written (${codeOf(cause)}).`,
          'Choose a folder that can be written, or delete this one.',
          { cause },
        );
  }
}

/**
 * A file of an entry, or a part of one.
 *
 * @throws GanderError `io` if the entry has disappeared since it was opened
 */
export function readCached(file: string, part?: { readonly offset: number; readonly length: number }): Buffer {
  try {
    return part ? readPart(file, part.offset, part.length) : readFileSync(file);
  } catch (cause) {
    throw new GanderError('io', `${file} is gone (${codeOf(cause)}).`, 'Ask again: it is made anew.', { cause });
  }
}

function readPart(file: string, offset: number, length: number): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(length));
  const fd = openSync(file, 'r');
  try {
    for (let done = 0; done < length;) {
      const count = readSync(fd, bytes, done, length - done, offset + done);
      if (count === 0) throw new Error('it ends too early');
      done += count;
    }
  } finally {
    closeSync(fd);
  }
  return bytes;
}

const codeOf = (thrown: unknown): string => (thrown as NodeJS.ErrnoException).code ?? String(thrown);
const isFull = (thrown: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes(codeOf(thrown));

const thisHost = hostname().replace(/[^\w-]/g, '_');

/** Part of the names of this process's temporary files, by which others see whether it is still alive. */
const owner = `${thisHost}-${process.pid}`;

const leftover = /^(?:[0-9a-f]{32}(?:\.old)?|hashes\.json)\.([\w-]+)-(\d+)\.tmp$/;

/** Node's own `recursive` never ends if a folder cannot be made although its parent exists, as in /proc. */
function makeFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  if (path.dirname(folder) !== folder) makeFolder(path.dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    // Another process may have been faster.
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}

/** Renames first, so that nobody finds half an entry; a folder that is in use on Windows stays complete. */
function discard(folder: string): void {
  const old = `${folder}.old.${owner}.tmp`;
  unlessItFails(() => {
    renameSync(folder, old);
    remove(old);
  });
}

function touch({ folder }: Entry): void {
  const now = new Date();
  unlessItFails(() => utimesSync(folder, now, now));
}

function remove(file: string): void {
  unlessItFails(() => rmSync(file, { recursive: true, force: true }));
}

function unlessItFails(work: () => void): void {
  try {
    work();
  } catch {
    // No answer depends on it.
  }
}

/** null: up to the file's end, because JSON has no Infinity. */
function dataFilesIn(model: string): Record<string, number | null> {
  try {
    const found = dataFiles(parseModel(readFileSync(model)));
    return Object.fromEntries([...found].map(([name, used]) => [name, Number.isFinite(used) ? used : null]));
  } catch {
    return {};
  }
}

function checkDataSize(folder: string, name: string, used: number | null): void {
  const bytes = statSync(path.join(folder, name), { throwIfNoEntry: false })?.size ?? 0;
  if (used === null || bytes <= 2 * used + poolLimits.unusedData) return;
  throw new GanderError(
    'base-invalid',
    `${name} has ${bytesInWords(bytes)}, and the model uses ${bytesInWords(used)} of it.`,
    'Fetch or export the model again.',
  );
}

function readHashes(file: string): Hashes {
  try {
    return hashesSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return {};
  }
}
