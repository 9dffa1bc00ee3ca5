import { createHash } from 'node:crypto';
import path from 'node:path';
import { fileInside } from './paths.js';
import { modelFiles, type Pool } from './pool.js';

/** Of an expert's folder, what its numbers come from. */
const hashed = [
  'adapter_config.json',
  'adapter_model.safetensors',
  'gate.safetensors',
  'activation.safetensors',
  'examples.safetensors',
];

/** What files hold, read once: a base model may be of gigabytes. */
export interface Contents {
  /** SHA-256 in hex. */
  hash(file: string): string;
  /** Files that an ONNX model keeps numbers in, as it names them: from its own folder. */
  dataFiles(model: string): readonly string[];
}

/**
 * SHA-256 in hex of all that a pool's numbers come from: what a trace names its pool by. An expert that is only tried counts as
 * it will once it lies among the others: what was composed for the trial is then there already.
 */
export function poolHash(pool: Pool, contents: Contents): string {
  const hash = createHash('sha256');
  const add = (file: string, root = pool.folder, under = '') => {
    const name = path.relative(root, file);
    hash.update(`${path.join(under, name)}\0${isFileInside(root, name) ? contents.hash(file) : ''}\0`);
  };
  for (const model of modelFiles(pool.base)) {
    add(model);
    // Only what it refers to: whatever else lies in the folder may be of any size.
    for (const name of contents.dataFiles(model)) add(path.join(path.dirname(model), name));
  }
  add(pool.base.tokenizer);
  if (pool.router !== undefined) add(pool.router);
  for (const { id, folder } of [...pool.experts, ...(pool.multitask ? [pool.multitask] : [])]) {
    const place = folder === pool.tried ? [folder, path.join(pool.manifest.experts, id)] : [];
    for (const name of hashed) add(path.join(folder, name), ...place);
  }
  return hash.digest('hex');
}

/** Nothing but ordinary files of the pool is read, not even to be hashed: a link may lead to a device without an end. */
function isFileInside(folder: string, name: string): boolean {
  try {
    fileInside(folder, name);
    return true;
  } catch {
    return false;
  }
}
