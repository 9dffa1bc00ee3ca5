/** Reads and writes an atlas's names.json, which people's names and notes are in. */
import path from 'node:path';
import { lstatSync, readFileSync } from 'node:fs';
import { atlasLimits } from '../../checks/limits.js';
import { GanderError } from '../../errors/errors.js';
import { saveFile } from '../../files/save.js';
import { parseNames, renamed, writtenNames } from '../names.js';
import type { OwnName } from '../protocol.js';
import { namesFile } from './folder.js';
import { writeError } from '../../files/writeError.js';

/** None if nobody has given a name. @throws GanderError `io` */
export function readNames(folder: string): readonly OwnName[] {
  const file = path.join(folder, namesFile);
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (!stat) return [];
  // A link would let an atlas name a file elsewhere, which the next name would replace.
  if (!stat.isFile()) throw unreadable(file, 'it is not an ordinary file');
  if (stat.size > atlasLimits.names) throw unreadable(file, 'it is too large');
  try {
    return parseNames(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw unreadable(file, 'it is not a list of names', cause);
  }
}

/** Changes one unit's name and note; the file is replaced as a whole. @returns all names. @throws GanderError `io` */
export async function saveName(folder: string, name: OwnName): Promise<readonly OwnName[]> {
  const names = renamed(readNames(folder), name);
  const file = path.join(folder, namesFile);
  await saveFile(file, writtenNames(names)).catch((cause: unknown) => {
    throw writeError(file, cause);
  });
  return names;
}

function unreadable(file: string, why: string, cause?: unknown): GanderError {
  return new GanderError(
    'io',
    `${file} cannot be read: ${why}.`,
    'Repair or remove it; until then it is left as it is.',
    {
      cause,
    },
  );
}
