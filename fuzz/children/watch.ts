/**
 * Loaded first in a fuzzed process: checks every call of Node's file system that opens something, and reports paths outside
 * the roots on standard error. The parent watches what native code opens (opened.ts).
 */
import { createRequire } from 'node:module';
import { realpathSync, writeSync } from 'node:fs';
import path from 'node:path';
import { outsideMark, rootsVariable } from '../opened.js';

/** tokenizers reads this on loading, to find out which C library there is. */
const ldd = '/usr/bin/ldd';

const roots = [ldd, ...(JSON.parse(process.env[rootsVariable] ?? '[]') as string[])].map(real);

/** Functions that open their first argument, or their first two. */
const calls = {
  one: [
    'open',
    'readFile',
    'writeFile',
    'appendFile',
    'readdir',
    'opendir',
    'mkdir',
    'rm',
    'truncate',
    'createReadStream',
    'createWriteStream',
  ],
  two: ['copyFile', 'cp', 'rename', 'link', 'symlink'],
} as const;

type Functions = Record<string, ((...args: unknown[]) => unknown) | undefined>;

function watch(module: Functions): void {
  for (const [count, names] of Object.entries(calls))
    for (const name of names.flatMap((base) => [base, `${base}Sync`])) {
      const original = module[name];
      if (!original) continue;
      module[name] = (...args) => {
        for (const arg of args.slice(0, count === 'one' ? 1 : 2)) if (typeof arg === 'string') check(name, arg);
        return original.apply(module, args);
      };
    }
}

function check(call: string, given: string): void {
  const file = real(path.resolve(given));
  if (!roots.some((root) => file === root || file.startsWith(root + path.sep)))
    writeSync(2, `${outsideMark}${call} ${file}\n`);
}

/** The real path; for a file that does not exist yet, below its folder's real path. */
function real(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    const parent = path.dirname(file);
    return parent === file ? file : path.join(real(parent), path.basename(file));
  }
}

// The object that every `require` returns; an ES module's namespace cannot be changed.
const fs = createRequire(__filename)('node:fs') as Functions & { promises: Functions };
watch(fs);
watch(fs.promises);
