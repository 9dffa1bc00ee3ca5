/** Puts an expert's folder into a pool, whole or not at all, and pins it there. */
import { constants, existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { GanderError } from '../errors/errors.js';
import { readManifest } from '../pool/manifest.js';
import { resolveInside } from '../pool/paths.js';
import { ganderVersion } from '../product/version.js';
import type { BaseMatch } from './base.js';
import { filesIn, type PinnedFiles, travellingFiles } from './files.js';
import { holdingLock, type LockEntry, pin, pinnedIn, readLock } from './lock.js';
import type { Origin } from './offer.js';

/** @throws GanderError `expert-invalid` if the pool has an expert of this name, which nothing replaces */
export function checkFree(pool: string, id: string): void {
  if (!existsSync(path.join(expertsIn(pool), id))) return;
  throw new GanderError(
    'expert-invalid',
    `The pool already has an expert ${id}.`,
    'Give it another name with --as, or remove the other expert first.',
  );
}

const expertsIn = (pool: string): string => resolveInside(pool, readManifest(pool).experts);

interface Placed {
  /** A folder that fits the pool. */
  readonly from: string;
  /** Where it goes, inside the pool. */
  readonly target: string;
  readonly origin: Origin;
  readonly base: BaseMatch;
}

/** Rejects with GanderError `io`, or `request-invalid` while another expert is put into the pool. */
export const place = (pool: string, placed: Placed): Promise<LockEntry> =>
  holdingLock(pool, () => placeHeld(pool, placed));

async function placeHeld(pool: string, { from, target, origin, base }: Placed): Promise<LockEntry> {
  const to = path.join(pool, target);
  // Until the last file is there, the folder has a name that no expert can have.
  const temporary = path.join(path.dirname(to), `.${path.basename(to)}.adding`);
  try {
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary);
    for (const name of travellingFiles)
      if (existsSync(path.join(from, name)))
        await copyFile(path.join(from, name), path.join(temporary, name), constants.COPYFILE_FICLONE);
    const files = await filesIn(temporary);
    await rename(temporary, to);
    const entry = entryOf(path.basename(to), { origin, base, files });
    await pin(pool, entry);
    return entry;
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    if (cause instanceof GanderError) throw cause;
    throw new GanderError(
      'io',
      `The expert could not be copied to ${to}: ${(cause as Error).message}`,
      'Check the free disk space and that you may write there.',
      { cause },
    );
  }
}

const entryOf = (id: string, { origin, base, files }: { origin: Origin; base: BaseMatch; files: PinnedFiles }) => ({
  ...{ id, ...origin, base, added: new Date().toISOString(), by: `gander ${ganderVersion}` },
  files: { ...files },
});

/** Pins an expert as it is in the pool now, after its owner changed it. Rejects with GanderError `expert-invalid` */
export async function pinAsIs(pool: string, id: string): Promise<LockEntry> {
  const files = await filesIn(path.join(expertsIn(pool), id));
  if (Object.keys(files).length === 0)
    throw new GanderError(
      'expert-invalid',
      `The pool has no expert ${id}.`,
      'See gander inspect for those that it has.',
    );
  return holdingLock(pool, async () => {
    const before = pinnedIn(await readLock(pool)).get(id);
    const entry = entryOf(id, { origin: { source: 'changed in the pool' }, base: before?.base ?? 'unknown', files });
    await pin(pool, entry);
    return entry;
  });
}

/** How a file differs from what was pinned; without `file`: the whole expert. */
export interface Difference {
  readonly id: string;
  readonly file?: string;
  readonly what: 'changed' | 'missing' | 'new';
}

export interface Verified {
  readonly pinned: readonly string[];
  /** Experts that came another way, and of which nothing is known. */
  readonly unpinned: readonly string[];
  readonly differences: readonly Difference[];
}

/** Whether each pinned expert is as it was. */
export async function verify(pool: string, tell: (done: number, of: number) => void): Promise<Verified> {
  const pinned = pinnedIn(await readLock(pool));
  const folder = expertsIn(pool);
  const there = (await readdir(folder, { withFileTypes: true }))
    .filter((entry) => (entry.isDirectory() || entry.isSymbolicLink()) && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort();
  const differences: Difference[] = [];
  let done = 0;
  for (const [id, { files }] of pinned) {
    tell(done++, pinned.size);
    if (there.includes(id)) differences.push(...differing(id, files, await filesIn(path.join(folder, id))));
    else differences.push({ id, what: 'missing' });
  }
  return { pinned: [...pinned.keys()], unpinned: there.filter((id) => !pinned.has(id)), differences };
}

function differing(id: string, was: PinnedFiles, now: PinnedFiles): Difference[] {
  return travellingFiles.flatMap((file): Difference[] => {
    if (was[file]?.sha256 === now[file]?.sha256) return [];
    return [{ id, file, what: !now[file] ? 'missing' : !was[file] ? 'new' : 'changed' }];
  });
}
