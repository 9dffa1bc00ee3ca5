/** A pool's lock file: which expert came from where and when, and the hash of each of its files (docs/pool-format.md). */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { poolLimits } from '../checks/limits.js';
import { schemaProblem } from '../checks/schemaWords.js';
import { GanderError } from '../errors/errors.js';
import { holding } from '../files/hold.js';
import { saveFile } from '../files/save.js';
import { baseMatches } from './base.js';
import { filesSchema, sha256Schema, sizeOf } from './files.js';

export const lockFile = 'pool.lock.json';

const text = z.string().max(2000);

const entrySchema = z.object({
  id: z.string().min(1).max(500),
  /** As it was asked for; of a file or folder only the name, because a pool may be passed on. */
  source: text,
  /** The commit of a hub's repository. */
  revision: text.optional(),
  /** SHA-256 of the packed file. */
  packed: sha256Schema.optional(),
  /** The owner of the repository, or whom the provenance names. */
  author: text.optional(),
  base: z.enum(baseMatches),
  added: z.iso.datetime(),
  by: text,
  files: filesSchema,
  removed: z.iso.datetime().optional(),
});

export type LockEntry = z.infer<typeof entrySchema>;

const version = 1;
const lockSchema = z.object({
  format: z.literal('gander-pool-lock'),
  version: z.int().positive(),
  entries: z.array(entrySchema),
});

/** In the order in which they were added; none if there is no such file. @throws GanderError `pool-invalid` */
export async function readLock(pool: string): Promise<readonly LockEntry[]> {
  const file = path.join(pool, lockFile);
  if ((await sizeOf(file)) === 0) return [];
  const wrong = (why: string) =>
    new GanderError('pool-invalid', `${lockFile} ${why}.`, 'Restore it from where the pool came from.');
  if ((await sizeOf(file)) > poolLimits.json) throw wrong('is larger than such a file can be');
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, 'utf8'));
  } catch {
    throw wrong('is not JSON');
  }
  const parsed = lockSchema.safeParse(json);
  if (!parsed.success) throw wrong(`is not as it should be: ${schemaProblem(parsed.error)}`);
  if (parsed.data.version > version)
    throw new GanderError('pool-invalid', `${lockFile} was written by a later version of Gander.`, 'Update Gander.');
  return parsed.data.entries;
}

/** Lets nobody else pin anything in the pool meanwhile. Rejects with GanderError `request-invalid` if another does, `io` */
export const holdingLock = <T>(pool: string, body: () => Promise<T>): Promise<T> =>
  holding(path.join(pool, lockFile), body);

/** The pool's lock must be held. */
export const pin = (pool: string, entry: LockEntry): Promise<void> => change(pool, (entries) => [...entries, entry]);

/** Notes that an expert was taken out, if it was pinned. */
export async function unpin(pool: string, id: string): Promise<void> {
  if (!pinnedIn(await readLock(pool)).has(id)) return;
  const removed = new Date().toISOString();
  await holdingLock(pool, () =>
    change(pool, (all) => all.map((one) => (one.id === id && !one.removed ? { ...one, removed } : one))),
  );
}

/** The last entry of each expert that was not removed since. */
export const pinnedIn = (entries: readonly LockEntry[]): ReadonlyMap<string, LockEntry> =>
  new Map(entries.filter(({ removed }) => removed === undefined).map((entry) => [entry.id, entry]));

async function change(pool: string, made: (entries: readonly LockEntry[]) => readonly LockEntry[]): Promise<void> {
  const lock = { format: 'gander-pool-lock', version, entries: made(await readLock(pool)) };
  await saveFile(path.join(pool, lockFile), `${JSON.stringify(lock, null, 2)}\n`);
}
