import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileInside } from './paths.js';
import type { Pool } from './pool.js';

/** Of an expert's folder, what its numbers come from. */
const hashed = [
  'adapter_config.json',
  'adapter_model.safetensors',
  'gate.safetensors',
  'activation.safetensors',
  'examples.safetensors',
];

/**
 * SHA-256 in hex of all that a pool's numbers come from: what a trace names its pool by.
 *
 * @param hashOf a file's own hash
 */
export function poolHash(pool: Pool, hashOf: (file: string) => string): string {
  const hash = createHash('sha256');
  const add = (file: string) => {
    const name = path.relative(pool.folder, file);
    hash.update(`${name}\0${isFileInside(pool.folder, name) ? hashOf(file) : ''}\0`);
  };
  // Beside the model lies its external data, under whatever name.
  const beside = path.dirname(pool.base.model);
  for (const name of readdirSync(beside).sort()) add(path.join(beside, name));
  add(pool.base.tokenizer);
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
