// Writes the settings' texts about strategies (package.json, package.nls.json), from src/strategies.
// `--check` fails if they are not up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

const root = path.resolve(import.meta.dirname, '..');
const setting = 'setting.strategy';

/** @typedef {{ readonly name: string, readonly title: string, readonly hint: string }} Told */

/**
 * The two files as they should be.
 * @param {readonly Told[]} strategies
 * @returns {Record<'package.json' | 'package.nls.json', string>}
 */
export function settings(strategies) {
  const read = (/** @type {string} */ name) => JSON.parse(readFileSync(path.join(root, name), 'utf8'));
  const manifest = read('package.json');
  const of = manifest.contributes.configuration.properties['gander.strategy'];
  of.enum = strategies.map(({ name }) => name);
  of.enumItemLabels = strategies.map(({ name }) => `%${setting}.${name}.title%`);
  of.enumDescriptions = strategies.map(({ name }) => `%${setting}.${name}%`);
  const told = strategies.flatMap(({ name, title, hint }) => [
    [`${setting}.${name}.title`, title],
    [`${setting}.${name}`, hint],
  ]);
  const texts = Object.entries(read('package.nls.json')).flatMap(([key, text]) => {
    // They come right before the setting's own text.
    if (key.startsWith(`${setting}.`)) return [];
    return key === setting ? [...told, [key, text]] : [[key, text]];
  });
  const write = (/** @type {unknown} */ value) => `${JSON.stringify(value, null, 2)}\n`;
  return { 'package.json': write(manifest), 'package.nls.json': write(Object.fromEntries(texts)) };
}

if (process.argv[1] === import.meta.filename) {
  const { outputFiles } = await build({
    entryPoints: [path.join(root, 'src/strategies/all.ts')],
    bundle: true,
    format: 'esm',
    write: false,
  });
  const code = outputFiles[0]?.text ?? '';
  const { all } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  for (const [name, text] of Object.entries(settings(all))) {
    const file = path.join(root, name);
    if (readFileSync(file, 'utf8') === text) continue;
    if (process.argv.includes('--check')) {
      console.error(`${name} is not up to date: run node scripts/strategies.mjs`);
      process.exit(1);
    }
    writeFileSync(file, text);
  }
}
