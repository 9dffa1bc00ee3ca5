// Writes what VS Code is told of the tools for agents (package.json, package.nls.json), from src/tools.
// `--check` fails if it is not up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

const root = path.resolve(import.meta.dirname, '..');

/** @typedef {{ readonly name: string, readonly title: string, readonly description: string, readonly inputSchema: object }} Told */

/** @type {Record<string, string>} */
const icons = {
  list_models: '$(list-unordered)',
  route_text: '$(play)',
  explain_token: '$(question)',
  compare_runs: '$(diff)',
  knock_out_expert: '$(circle-slash)',
  describe_expert: '$(book)',
  open_in_panel: '$(open-preview)',
};

/**
 * The two files as they should be.
 * @param {readonly Told[]} tools
 * @returns {Record<'package.json' | 'package.nls.json', string>}
 */
export function manifestWith(tools) {
  const read = (/** @type {string} */ name) => JSON.parse(readFileSync(path.join(root, name), 'utf8'));
  const manifest = read('package.json');
  manifest.contributes.languageModelTools = tools.map(({ name, description, inputSchema }) => ({
    name: `gander_${name}`,
    toolReferenceName: `gander_${name}`,
    displayName: `%tool.${name}%`,
    userDescription: `%tool.${name}.about%`,
    modelDescription: description,
    canBeReferencedInPrompt: true,
    icon: icons[name] ?? '$(tools)',
    tags: ['gander'],
    inputSchema,
  }));
  const others = Object.entries(read('package.nls.json')).filter(([key]) => !key.startsWith('tool.'));
  const told = tools.flatMap(({ name, title, description }) => [
    [`tool.${name}`, `Gander: ${title}`],
    // Its first sentence says what it does; the rest is for language models.
    [`tool.${name}.about`, description.split(/(?<=\.) /)[0] ?? ''],
  ]);
  const write = (/** @type {unknown} */ value) => `${JSON.stringify(value, null, 2)}\n`;
  return { 'package.json': write(manifest), 'package.nls.json': write(Object.fromEntries([...others, ...told])) };
}

if (process.argv[1] === import.meta.filename) {
  const { outputFiles } = await build({
    entryPoints: [path.join(root, 'src/tools/index.ts')],
    bundle: true,
    format: 'esm',
    platform: 'node',
    write: false,
  });
  const code = outputFiles[0]?.text ?? '';
  const { tools } = await import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`);
  for (const [name, text] of Object.entries(manifestWith(tools))) {
    const file = path.join(root, name);
    if (readFileSync(file, 'utf8') === text) continue;
    if (process.argv.includes('--check')) {
      console.error(`${name} is not up to date: run node scripts/tools.mjs`);
      process.exit(1);
    }
    writeFileSync(file, text);
  }
}
