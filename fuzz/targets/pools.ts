import { appendFileSync, rmSync, truncateSync } from 'node:fs';
import path from 'node:path';
import type { Random } from '../random.js';
import { spoiltBytes } from '../spoil/bytes.js';
import { filesIn, linkInstead, rewrite, rewriteJson } from '../spoil/files.js';
import { spoilJson } from '../spoil/json.js';
import { spoiltHeader } from '../spoil/safetensors.js';
import type { Target } from './target.js';

/** Corrupts any file of a pool in any way. */
export function spoilPool(folder: string, random: Random): string {
  const file = () => random.pick(filesIn(folder));
  return random.do({
    'a file': () => rewrite(file(), (bytes) => spoiltBytes(bytes, random)),
    'a file gone': () => {
      const gone = file();
      rmSync(gone);
      return path.basename(gone);
    },
    'a folder gone': () => rmSync(path.dirname(file()), { recursive: true }),
    'a link': () => linkInstead(folder, file(), random),
    JSON: () => rewriteJson(random.pick(filesIn(folder, '.json')), (json) => spoilJson(json, random)),
    tensors: () => rewrite(random.pick(filesIn(folder, '.safetensors')), (bytes) => spoiltHeader(bytes, random)),
    'a file of holes': () => {
      const large = random.pick([file(), path.join(path.dirname(file()), 'more.bin')]);
      appendFileSync(large, '');
      truncateSync(large, random.pick([2 ** 24, 2 ** 33, 2 ** 40]));
      return path.basename(large);
    },
  });
}

export const pools: Target = { name: 'pools', runner: 'engine', begins: 'pool', spoil: spoilPool };
