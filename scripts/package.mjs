// npm run package [-- --all | --target linux-x64 ...]: builds and checks the VSIX of a platform, by default this one.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { atEnd, main, Remedy, root, run, say } from './lib/main.mjs';
import { natives, targets } from './lib/targets.mjs';
import { modelNames, vsixProblems } from './lib/vsix.mjs';
import { setup } from './setup.mjs';

export const thisTarget = `${process.platform}-${process.arch}`;

const texts = ['README.md', 'CHANGELOG.md', 'LICENSE', 'THIRD_PARTY_NOTICES.md', '.vscodeignore', 'package.nls.json'];

/** Returns the path of the VSIX. @param {string} name of the target */
export async function packageFor(name) {
  const target = targets[name];
  if (!target) throw new Remedy(`no package for ${name}; there is one for ${Object.keys(targets).join(', ')}`);
  const stage = path.join(root, 'out/package', name);
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });
  const callOff = atEnd(() => rmSync(stage, { recursive: true, force: true }));
  try {
    const put = (/** @type {string} */ from, to = from) =>
      cpSync(path.join(root, from), path.join(stage, to), { recursive: true });
    for (const file of [...texts, 'media', 'l10n', 'third-party', 'atlases'])
      if (existsSync(path.join(root, file))) put(file);
    // A missing model is reported by `vsixProblems`.
    for (const name of modelNames) if (existsSync(path.join(root, 'models', name))) put(`models/${name}`);
    await step('the build', [path.join(root, 'esbuild.mjs'), '--production', `--out=${path.join(stage, 'dist')}`]);
    // A bundle looks for these in its own folder.
    const modules = (/** @type {string} */ file) => put(`node_modules/${file}`, `dist/node_modules/${file}`);
    for (const file of ['onnxruntime-node/package.json', 'onnxruntime-node/dist']) modules(file);
    for (const file of ['onnxruntime-common/package.json', 'onnxruntime-common/dist/cjs']) modules(file);
    for (const file of ['tokenizers/package.json', 'tokenizers/index.js']) modules(file);
    for (const [module, files] of Object.entries(natives(target)))
      for (const file of files) modules(`${module}/${file}`);
    writeFileSync(path.join(stage, 'package.json'), JSON.stringify(manifest(), null, 2));

    const file = path.join(root, `gander-${manifest().version}-${name}.vsix`);
    const vsce = path.join(root, 'node_modules/@vscode/vsce/vsce');
    const flags = ['--no-dependencies', '--allow-missing-repository', '--no-rewrite-relative-links'];
    const text = await step('vsce', [vsce, 'package', '--target', name, ...flags, '--out', file], stage);
    if (/WARNING|ERROR/.test(text)) throw new Remedy(`vsce reports a problem: ${text.trim()}`);
    return file;
  } finally {
    rmSync(stage, { recursive: true, force: true });
    callOff();
  }
}

/** package.json without what only a checkout needs. */
function manifest() {
  const json = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  for (const key of ['scripts', 'dependencies', 'devDependencies', 'overrides']) Reflect.deleteProperty(json, key);
  return json;
}

/** @param {string} what @param {string[]} args */
async function step(what, args, cwd = root) {
  const { code, text } = await run(process.execPath, args, { cwd, output: 'capture' });
  if (code !== 0) throw new Remedy(`${what} failed: ${text.trim()}`);
  return text;
}

async function packages() {
  const args = process.argv.slice(2);
  const named = args.flatMap((a, i) => (a === '--target' ? [args[i + 1] ?? ''] : []));
  const names = args.includes('--all') ? Object.keys(targets) : named.length ? named : [thisTarget];
  await setup();
  let bad = 0;
  for (const name of names) {
    say(`Packaging for ${name} …`);
    const file = await packageFor(name);
    const problems = vsixProblems(file, name);
    for (const problem of problems) say(`  ${problem}`);
    bad += problems.length;
    console.log(`${path.relative(root, file)}  ${(statSync(file).size / 1e6).toFixed(1)} MB`);
  }
  return bad ? 1 : 0;
}

if (process.argv[1] === import.meta.filename) await main(packages);
