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
import { GanderError } from '../../errors/errors.js';
import { hashFile, seal, stampOf, unbroken } from './seal.js';

/** An entry as it was found or made. */
export interface Entry {
  readonly folder: string;
  /** Another once the entry was made anew. */
  readonly seal: string;
}

/** [file]: its hash, the files that it keeps numbers in if it is a model that was asked for them, and the stamp it had then. */
const hashesSchema = z.record(
  z.string(),
  z.strictObject({ stamp: z.string(), hash: z.string(), dataFiles: z.array(z.string()).exactOptional() }),
);
type Hashes = z.infer<typeof hashesSchema>;

/** A file changed within so many milliseconds may change again and bear the same times: those of FAT are 2 s apart. */
const settled = 2000;

/**
 * A folder of entries named by the hash of what they were made from. An entry is made in a temporary folder and renamed,
 * so that it is there whole or not at all; it is sealed, so that a damaged one is noticed and made again.
 *
 * The folder may be shared by several processes, and entries may go at any time. Whatever fails but is not needed for an
 * answer (times of use, remembered hashes, tidying up) is left undone without a word.
 */
export class Cache {
  readonly #hashes: Map<string, Hashes[string]>;

  /** @throws GanderError `io` when the folder is not there and cannot be made. */
  constructor(
    readonly folder: string,
    /** Entries kept; those not used for longest go first. */
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
   * The entry, made by `make` if it is not there or not sound.
   *
   * @param key 32 hexadecimal digits
   * @throws GanderError `io` when it cannot be written, and what `make` throws
   */
  entry(key: string, make: (folder: string) => void): Entry {
    const folder = path.join(this.folder, key);
    const entry = { folder, seal: unbroken(folder) ?? this.write(() => this.#make(key, folder, make)) };
    touch(entry);
    return entry;
  }

  /** Writes into the folder. @throws GanderError `io` when it cannot be written, and what `work` throws */
  write<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#isOurs(error) ? this.#trouble(error) : error;
    }
  }

  /** Whether the entry is still what it was, and not about to go as long unused. */
  holds(entry: Entry): boolean {
    if (unbroken(entry.folder) !== entry.seal) return false;
    touch(entry);
    return true;
  }

  /**
   * SHA-256 of a file, remembered so that a large one is read once.
   *
   * @throws GanderError `io` when it cannot be read
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
      throw new GanderError('io', `${file} cannot be read (${codeOf(cause)}).`, 'See to its rights.', { cause });
    }
  }

  /**
   * Files that an ONNX model keeps numbers in, remembered as its hash is. What is no model keeps none: whoever reads it
   * says what is wrong with it.
   *
   * @throws GanderError `io` when it cannot be read
   */
  dataFiles(model: string): readonly string[] {
    this.hash(model);
    const known = this.#hashes.get(model);
    if (known?.dataFiles) return known.dataFiles;
    const found = dataFilesIn(model);
    if (known) this.#hashes.set(model, { ...known, dataFiles: found });
    return found;
  }

  /** Writes down the hashes learnt. */
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
      // The whole folder may have gone.
      makeFolder(temporary);
      make(temporary);
      const sealed = this.#put(temporary, folder, seal(temporary));
      this.#prune(key);
      return sealed;
    } finally {
      remove(temporary);
    }
  }

  /** @returns the seal of the entry that is there afterwards: another process may have been quicker, and is as good. */
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

  /** Removes what processes that were killed left half made. */
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

  /** Whether the cache's disk or folder is to blame, not what an entry is made from. */
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
 * @throws GanderError `io` when the entry went between its opening and now
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

/** Names what this process alone writes: others must know whether its maker is alive. */
const owner = `${thisHost}-${process.pid}`;

const leftover = /^(?:[0-9a-f]{32}(?:\.old)?|hashes\.json)\.([\w-]+)-(\d+)\.tmp$/;

/** `recursive` of Node's own never ends where a folder cannot be made though its parent is there, as in /proc. */
function makeFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  if (path.dirname(folder) !== folder) makeFolder(path.dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    // Another process may have been quicker.
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}

/** In one step, so that nobody finds half an entry; a folder that is in use on Windows stays whole. */
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
    // Nobody's answer depends on it.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function dataFilesIn(model: string): string[] {
  try {
    return dataFiles(parseModel(readFileSync(model)));
  } catch {
    return [];
  }
}

function readHashes(file: string): Hashes {
  try {
    return hashesSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return {};
  }
}
