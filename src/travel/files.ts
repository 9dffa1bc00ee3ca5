/** What travels of an expert: the files that a pool reads, and where they are from. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { GanderError } from '../errors/errors.js';
import { expertFiles, neededFiles } from '../pool/expertFiles.js';

export const provenanceFile = 'provenance.json';

/** What says what it is comes first, so that it can be read before the rest is fetched. */
const smallFirst = [provenanceFile, 'README.md', 'adapter_config.json'];

export const travellingFiles: readonly string[] = [
  ...smallFirst,
  ...expertFiles.filter((name) => !smallFirst.includes(name)),
];

/** Bytes of the files that are read in one go. */
export const mostSmallBytes = 4 * 2 ** 20;

export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);

export const fileSchema = z.object({ bytes: z.int().min(0), sha256: sha256Schema });

/** A file as it was when it was pinned. */
export type PinnedFile = z.infer<typeof fileSchema>;

const travels = (name: string): boolean => travellingFiles.includes(name);

export const filesSchema = z.record(z.string().refine(travels, 'not a file of an expert'), fileSchema);

export type PinnedFiles = Readonly<Record<string, PinnedFile>>;

/** The hash that a packed file's name says it has. */
export const hashInName = (name: string): string | undefined => /-([0-9a-f]{64})\.tar$/.exec(name)?.[1];

/** Size of a file; 0 if there is none. */
export const sizeOf = async (file: string): Promise<number> => (await stat(file).catch(() => undefined))?.size ?? 0;

/** A file's hash in hex. @param before bytes that are hashed first */
export async function hashOf(file: string, algorithm: 'sha256' | 'sha1' = 'sha256', before = ''): Promise<string> {
  const hash = createHash(algorithm).update(before);
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** The files of an expert's folder that travel, as they are now. Links are not followed. */
export async function filesIn(folder: string): Promise<PinnedFiles> {
  const found: Record<string, PinnedFile> = {};
  for (const name of travellingFiles) {
    const file = path.join(folder, name);
    const now = await lstat(file).catch(() => undefined);
    if (now?.isFile()) found[name] = { bytes: now.size, sha256: await hashOf(file) };
  }
  return found;
}

export const bytesOf = (files: Readonly<Record<string, { readonly bytes: number }>>): number =>
  Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0);

/** A name that is a folder of its own on every platform. */
const plainName = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?$/;

/** @throws GanderError `expert-invalid` */
export function checkId(id: string): void {
  if (!plainName.test(id))
    throw new GanderError(
      'expert-invalid',
      `An expert cannot travel as "${id.slice(0, 120)}".`,
      'Rename its folder: letters, digits, "-", "_" and "." in between, at most 100.',
    );
}

/** @throws GanderError `expert-invalid` if a file is lacking without which it is no expert */
export function checkNeeded(names: readonly string[], where: string): void {
  const lacking = neededFiles.find((name) => !names.includes(name));
  if (lacking === undefined) return;
  const isPickle = names.includes('adapter_model.bin');
  throw new GanderError(
    'expert-invalid',
    `${where} is not an expert: it has no ${lacking}.`,
    isPickle
      ? 'Its adapter_model.bin is a pickle, which may run code when read; ask its author for safetensors.'
      : 'An expert has PEFT’s adapter_config.json and adapter_model.safetensors.',
  );
}
