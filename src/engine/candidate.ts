/** Whether a pool could take an expert, told before anything of it is copied. */
import { lstatSync } from 'node:fs';
import path from 'node:path';
import { findModules } from '../graph/find.js';
import { resolveInside } from '../pool/paths.js';
import { type Pool, type PoolExpert, readBytes, readExpertFolder } from '../pool/pool.js';
import { GanderError } from '../shared/errors.js';
import { expertFiles, neededFiles } from '../shared/expertFiles.js';
import type { Candidate } from './api.js';
import { affordable, sharingInput } from './budget.js';
import { readBase } from './compose.js';
import { misfit } from './placing.js';

/**
 * @param folder absolute
 * @throws GanderError `expert-invalid` with the reason, `pool-unsafe-path` where the pool keeps its experts elsewhere
 */
export function examine(pool: Pool, folder: string): Candidate {
  const id = path.basename(folder);
  if (id === '' || id.startsWith('.'))
    throw invalid(`"${id}" can name no expert.`, 'Rename the folder: its name is what the expert is called by.');
  const experts = pool.manifest.experts;
  const target = path.join(experts, id);
  if (isThere(path.join(resolveInside(pool.folder, experts), id)))
    throw invalid(`The pool already has an expert ${id}.`, 'Rename the folder or remove the other expert first.');
  const lacking = neededFiles.find((name) => !isThere(path.join(folder, name)));
  if (lacking !== undefined)
    throw invalid(
      `${folder} is no expert: it has no ${lacking}.`,
      "Choose a folder with PEFT's adapter files and a gate.safetensors.",
    );
  const expert = read(folder);
  const { sites } = findModules(readBase(pool).model.graph, new Set(expert.adapter.modules.keys()));
  const why = misfit(expert, sites);
  if (why)
    throw invalid(`${id} does not fit: ${why.message}`, 'Choose an expert that was trained for this base model.');
  if (sites.size === 0)
    throw invalid(
      `${id} adapts ${[...expert.adapter.modules.keys()].slice(0, 3).join(', ')}, of which nothing is in this base model.`,
      'Choose an expert that was trained for this base model.',
    );
  const [tooLarge] = affordable(sharingInput([...sites.values()]), [...pool.experts, expert]).tooLarge.values();
  if (tooLarge)
    throw invalid(
      `${id} is too large beside the others: ${tooLarge.message}.`,
      'Train it with a smaller rank, or remove the other experts first.',
    );
  return { files: expertFiles.filter((name) => isThere(path.join(folder, name))), bytes: readBytes(folder), target };
}

function read(folder: string): PoolExpert {
  try {
    return readExpertFolder(folder);
  } catch (error) {
    const { code, message, remedy } = GanderError.from(error);
    throw new GanderError(code, `${path.basename(folder)} cannot be used: ${message}.`, remedy, { cause: error });
  }
}

function isThere(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
}

function invalid(message: string, remedy: string): GanderError {
  return new GanderError('expert-invalid', message, remedy);
}
