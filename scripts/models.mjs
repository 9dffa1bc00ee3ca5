// Writes src/product/modelFiles.json: each file of the models that ship, with its size and its SHA-256. Run it after changing a
// model. `--check` fails if the list is not up to date.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { modelNames } from './lib/vsix.mjs';
import { root } from './lib/main.mjs';

const list = path.join(root, 'src/product/modelFiles.json');

/** What .vscodeignore lets into a package, as one expression for paths in the repository. */
const ships = new RegExp(
  readFileSync(path.join(root, '.vscodeignore'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('!models/'))
    .map((line) => `^${line.slice(1).replace(/[.+]/g, '\\$&').replaceAll('*', '[^/]*')}$`)
    .join('|'),
);

/** @param {string} model a folder in models/ */
const filesOf = (model) =>
  readdirSync(path.join(root, 'models', model), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'))
    .filter((file) => ships.test(file))
    .sort()
    .map((file) => {
      const content = readFileSync(path.join(root, file));
      const sha256 = createHash('sha256').update(content).digest('hex');
      return { path: file.slice(`models/${model}/`.length), bytes: content.length, sha256 };
    });

/** The list as it should be. */
export const modelFiles = () =>
  `${JSON.stringify(Object.fromEntries(modelNames.map((name) => [name, filesOf(name)])), null, 2)}\n`;

if (process.argv[1] === import.meta.filename) {
  const wanted = modelFiles();
  if (!process.argv.includes('--check')) writeFileSync(list, wanted);
  else if (readFileSync(list, 'utf8') !== wanted) {
    console.error('src/product/modelFiles.json is not up to date; run node scripts/models.mjs');
    process.exitCode = 1;
  }
}
