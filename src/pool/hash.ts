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

/** SHA-256 in hex of all that a pool's numbers come from: what a trace names its pool by. */
export function poolHash(pool: Pool, contents: Contents): string {
  const hash = createHash('sha256');
  const add = (file: string) => {
    const name = path.relative(pool.folder, file);
    hash.update(`${name}\0${isFileInside(pool.folder, name) ? contents.hash(file) : ''}\0`);
  };
  for (const model of modelFiles(pool.base)) {
    add(model);
    // Only what it refers to: whatever else lies in the folder may be of any size.
    for (const name of contents.dataFiles(model)) add(path.join(path.dirname(model), name));
  }
  add(pool.base.tokenizer);
  if (pool.router !== undefined) add(pool.router);
  for (const { folder } of [...pool.experts, ...(pool.multitask ? [pool.multitask] : [])])
    for (const name of hashed) add(path.join(folder, name));
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
