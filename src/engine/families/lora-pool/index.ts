import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Family } from '../family.js';
import { PoolModel } from './model.js';

/** A base model with a pool of LoRA experts and their gates (docs/pool-format.md). */
export const loraPool: Family = {
  claims: (folder) => existsSync(path.join(folder, 'pool.json')),
  open: (folder, means) => new PoolModel(folder, means),
};
