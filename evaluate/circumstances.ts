import os from 'node:os';
import { ganderVersion } from '../src/product/version.js';
import type { About } from './evaluation.js';
import { commandOf, type Options } from './options.js';

/** How a report was made. */
export function circumstances(options: Options): Pick<About, 'command' | 'created' | 'versions' | 'machine' | 'seed'> {
  return {
    command: commandOf(options, process.cwd()),
    created: new Date().toISOString(),
    versions: { gander: ganderVersion, node: process.versions.node },
    machine: {
      cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
      cores: os.availableParallelism(),
      memoryGiB: Math.round(os.totalmem() / 2 ** 30),
      platform: `${process.platform}-${process.arch}`,
    },
    seed: options.seed,
  };
}
