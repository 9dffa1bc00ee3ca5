// What a package must and must not contain.
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { root } from './main.mjs';
import { natives, targets } from './targets.mjs';
import { zipEntries } from './zip.mjs';

/** A larger package must contain something that nobody meant to ship. */
const mostBytes = 215e6;

const needed = [
  ...[
    'package.json',
    'readme.md',
    'changelog.md',
    'LICENSE.txt',
    'THIRD_PARTY_NOTICES.md',
    'media/icon.png',
    'docs/glossary.md',
  ],
  ...[
    'dist/extension.cjs',
    'dist/lazy.cjs',
    'dist/pdf.cjs',
    'dist/engine.cjs',
    'dist/import.cjs',
    'dist/remote.cjs',
    'dist/web.cjs',
    'dist/atlas.cjs',
    'dist/cli.cjs',
    'dist/webview/panel.js',
    'dist/webview/panel.css',
    'dist/webview/similarity.js',
    'dist/webview/similarity.css',
    'dist/webview/atlas.js',
    'dist/webview/atlas.css',
  ],
  ...['onnxruntime-node/dist/index.js', 'onnxruntime-common/dist/cjs/index.js', 'tokenizers/index.js'].map(
    (file) => `dist/node_modules/${file}`,
  ),
];

/** The files that each model that ships needs; test/unit/pool/bundled.test.ts compares the list with the extension's. */
const models = {
  'smollm2-135m': ['pool.json', 'README.md', 'base/model.onnx', 'base/tokenizer.json', 'base/config.json'],
  'gosling-moe': ['README.md', 'training.json', 'model.onnx', 'model.onnx.data', 'tokenizer.json', 'config.json'],
};

export const modelNames = Object.keys(models);

const forbidden = /\.(py|pyc|ts|map|proto|log|pt)$|(^|\/)(src|test|training|scripts|bench|\.git|\.cache|__pycache__)\//;

/**
 * The problems of a package; empty if there are none.
 * @param {string} file @param {string} target
 */
export function vsixProblems(file, target) {
  const entries = [...zipEntries(file).keys()].filter((n) => n.startsWith('extension/')).map((n) => n.slice(10));
  const has = new Set(entries);
  const wanted = targets[target];
  if (!wanted) return [`no target ${target}`];
  const native = Object.entries(natives(wanted)).flatMap(([name, files]) =>
    files.map((f) => `dist/node_modules/${name}/${f}`),
  );
  const shipped = Object.entries(models).flatMap(([name, files]) => files.map((f) => `models/${name}/${f}`));
  const notices = readdirSync(path.join(root, 'third-party')).map((f) => `third-party/${f}`);
  const problems = [...needed, ...notices, ...native, ...shipped]
    .filter((f) => !has.has(f))
    .map((f) => `${f} is missing`);
  // The name contains a hash of the content.
  if (!entries.some((n) => /^dist\/webview\/lessons-\w+\.js$/.test(n)))
    problems.push('dist/webview/lessons-*.js is missing');
  if (!entries.some((n) => /^models\/[^/]+\/experts\/[^/]+\/gate\.safetensors$/.test(n))) problems.push('no expert');
  for (const name of entries) {
    if (forbidden.test(name)) problems.push(`${name} does not belong`);
    if (/\.(node|dll|dylib|so)(\.\d+)*$/.test(name) && !native.includes(name))
      problems.push(`${name} is not for ${target}`);
  }
  const { size } = statSync(file);
  if (size > mostBytes) problems.push(`${Math.round(size / 1e6)} MB, more than ${mostBytes / 1e6} MB`);
  return problems;
}
