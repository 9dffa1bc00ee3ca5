/** Checks whether a pool can take an expert, before any of it is copied. */
import { lstatSync } from 'node:fs';
import path from 'node:path';
import { resolveInside } from '../../../pool/paths.js';
import { type Pool, readBytes, readExpertFolder } from '../../../pool/pool.js';
import { GanderError } from '../../../errors/errors.js';
import { expertFiles, neededFiles } from '../../../pool/expertFiles.js';
import type { Candidate } from '../../../requests/api.js';
import { affordable, sharingInput } from './budget.js';
import { placeOne } from './placing.js';
import type { Found } from '../../../graph/find.js';

/**
 * @param folder absolute
 * @param find finds modules in the pool's base, by their paths
 * @throws GanderError `expert-invalid` with the reason, `pool-unsafe-path` if the pool keeps its experts outside its folder
 */
export function examine(pool: Pool, folder: string, find: Find): Candidate {
  const id = path.basename(folder);
  if (id === '' || id.startsWith('.'))
    throw invalid(`An expert cannot be named "${id}".`, "Rename the folder: its name becomes the expert's id.");
  const experts = pool.manifest.experts;
  const target = path.join(experts, id);
  if (isThere(path.join(resolveInside(pool.folder, experts), id)))
    throw invalid(`The pool already has an expert ${id}.`, 'Rename the folder or remove the other expert first.');
  const lacking = neededFiles.find((name) => !isThere(path.join(folder, name)));
  if (lacking !== undefined)
    throw invalid(
      `${folder} is not an expert: it has no ${lacking}.`,
      "Choose a folder with PEFT's adapter_config.json and adapter_model.safetensors.",
    );
  checkExpert(pool, folder, find);
  return { files: expertFiles.filter((name) => isThere(path.join(folder, name))), bytes: readBytes(folder), target };
}

type Find = (paths: Iterable<string>) => Found;

function checkExpert(pool: Pool, folder: string, find: Find): void {
  const id = path.basename(folder);
  try {
    const expert = readExpertFolder(folder, pool.general);
    const modules = placeOne(expert, find(expert.adapter.modules.keys()));
    const tooLarge = affordable(sharingInput(modules), [...pool.experts, expert]).tooLarge.get(id);
    if (tooLarge) throw tooLarge;
  } catch (error) {
    const { code, message, remedy } = GanderError.from(error);
    throw new GanderError(
      code,
      `${id} does not fit the pool: ${/[.!?]$/.test(message) ? message : `${message}.`}`,
      remedy,
      {
        cause: error,
      },
    );
  }
}

function isThere(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
}

function invalid(message: string, remedy: string): GanderError {
  return new GanderError('expert-invalid', message, remedy);
}
