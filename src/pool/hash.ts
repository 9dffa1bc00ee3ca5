import { createHash } from 'node:crypto';
import path from 'node:path';
import { fileInside } from './paths.js';
import { modelFiles, type Pool } from './pool.js';

/** The files of an expert's folder that affect its numbers. */
const adapterFiles = ['adapter_config.json', 'adapter_model.safetensors'];
const hashed = [...adapterFiles, 'gate.safetensors', 'activation.safetensors', 'examples.safetensors'];

/** Contents of files, which are read only once: a base model may have gigabytes. */
export interface Contents {
  /** SHA-256 in hex. */
  hash(file: string): string;
  /** Names of an ONNX model's data files, relative to its own folder. */
  dataFiles(model: string): readonly string[];
}

/**
 * SHA-256 in hex of everything that affects a pool's numbers; traces identify their pool by it. An expert on trial is hashed
 * as if it were already in the pool, so that once it is added, the graph composed for the trial is found in the cache.
 */
export function poolHash(pool: Pool, contents: Contents): string {
  const hash = createHash('sha256');
  const add = (file: string, root = pool.folder, under = '') => {
    const name = path.relative(root, file);
    hash.update(`${path.join(under, name)}\0${isFileInside(root, name) ? contents.hash(file) : ''}\0`);
  };
  for (const model of modelFiles(pool.base)) {
    add(model);
    // Only what the model refers to: other files in the folder may be of any size.
    for (const name of contents.dataFiles(model)) add(path.join(path.dirname(model), name));
  }
  add(pool.base.tokenizer);
  if (pool.router !== undefined) add(pool.router);
  if (pool.xlora) {
    hash.update(`${JSON.stringify(pool.manifest.xlora)}\0`);
    for (const file of pool.xlora.files) add(file);
  }
  for (const folder of pool.general?.folders ?? []) for (const name of adapterFiles) add(path.join(folder, name));
  for (const { id, folder } of [...pool.experts, ...(pool.multitask ? [pool.multitask] : [])]) {
    const place = folder === pool.tried ? [folder, path.join(pool.manifest.experts, id)] : [];
    for (const name of hashed) add(path.join(folder, name), ...place);
  }
  return hash.digest('hex');
}

/**
 * SHA-256 in hex of a base's weights: of the hashes of its graphs and their data files, in that order. An expert's provenance names
 * its base by it.
 */
export function baseHash({ folder, base }: Pick<Pool, 'folder' | 'base'>, contents: Contents): string {
  const hash = createHash('sha256');
  for (const model of modelFiles(base))
    for (const file of [model, ...contents.dataFiles(model).map((name) => path.join(path.dirname(model), name))])
      hash.update(`${isFileInside(folder, path.relative(folder, file)) ? contents.hash(file) : ''}\n`);
  return hash.digest('hex');
}

/** Only ordinary files inside the pool are read, even for hashing: a link may lead to a device that never ends. */
function isFileInside(folder: string, name: string): boolean {
  try {
    fileInside(folder, name);
    return true;
  } catch {
    return false;
  }
}
