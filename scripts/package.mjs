// npm run package [-- --all | --target linux-x64 ...]: builds and checks the VSIX of a platform, by default this one.
// npm run package -- python: the wheels of the Python packages.
// npm run package -- cli [the same]: the command line as npm packages, one for each platform and `gander`, which picks one.
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { atEnd, main, npm, Remedy, root, run, say } from './lib/main.mjs';
import { needUv } from './lib/python.mjs';
import { addresses, manifest, readmeOutside, repository } from './lib/published.mjs';
import { natives, targets } from './lib/targets.mjs';
import { modelNames, vsixProblems } from './lib/vsix.mjs';
import { setup } from './setup.mjs';

export const thisTarget = `${process.platform}-${process.arch}`;

const legal = ['LICENSE', 'THIRD_PARTY_NOTICES.md', 'third-party'];
const texts = ['CHANGELOG.md', '.vscodeignore', 'package.nls.json'];

/** What `gander` is on the command line: itself, what fetches for it, and the children that it forks. */
const ofCli = ['cli.cjs', 'web.cjs', 'engine.cjs', 'import.cjs', 'remote.cjs', 'atlas.cjs'];

/**
 * Calls `fill` with an empty folder, which is deleted afterwards.
 * @template T @param {string} name @param {(stage: string) => Promise<T>} fill
 */
async function staged(name, fill) {
  const stage = path.join(root, 'out/package', name);
  const remove = () => rmSync(stage, { recursive: true, force: true });
  remove();
  mkdirSync(stage, { recursive: true });
  const callOff = atEnd(remove);
  try {
    return await fill(stage);
  } finally {
    remove();
    callOff();
  }
}

/** Copies a file or folder of the repository. @param {string} stage @param {string} from */
const put = (stage, from, to = from) => cpSync(path.join(root, from), path.join(stage, to), { recursive: true });

/** @param {string} stage @param {string} to */
const build = (stage, to = 'dist') =>
  step('the build', [path.join(root, 'esbuild.mjs'), '--production', `--out=${path.join(stage, to)}`]);

/** The packages that no bundle can contain. A bundle looks for them in its own folder. @param {string} stage @param {string} name of the target */
function putNatives(stage, name) {
  const modules = (/** @type {string} */ file) =>
    cpSync(path.join(root, 'node_modules', file), path.join(stage, 'dist/node_modules', file), {
      recursive: true,
      filter: (name) => !/\.(map|ts)$/.test(name),
    });
  for (const file of ['onnxruntime-node/package.json', 'onnxruntime-node/dist']) modules(file);
  for (const file of ['onnxruntime-common/package.json', 'onnxruntime-common/dist/cjs']) modules(file);
  for (const file of ['tokenizers/package.json', 'tokenizers/index.js']) modules(file);
  for (const [module, files] of Object.entries(natives(targetOf(name))))
    for (const file of files) modules(`${module}/${file}`);
}

/** @param {string} name */
function targetOf(name) {
  const target = targets[name];
  if (target) return target;
  throw new Remedy(`no package for ${name}; there is one for ${Object.keys(targets).join(', ')}`);
}

/** Returns the path of the VSIX. @param {string} name of the target */
export async function packageFor(name) {
  targetOf(name);
  return staged(name, async (stage) => {
    for (const file of [...legal, ...texts, 'docs', 'media', 'l10n', 'atlases'])
      if (existsSync(path.join(root, file))) put(stage, file);
    // A missing model is reported by `vsixProblems`.
    for (const name of modelNames) if (existsSync(path.join(root, 'models', name))) put(stage, `models/${name}`);
    putReadme(stage);
    await build(stage);
    putNatives(stage, name);
    writeJson(stage, {
      ...extensionManifest(),
      ...addresses(),
      ...(repository() && { qna: `${repository()}/discussions` }),
    });

    const file = path.join(root, `gander-${manifest().version}-${name}.vsix`);
    const vsce = path.join(root, 'node_modules/@vscode/vsce/vsce');
    const lacking = repository() === undefined ? ['--allow-missing-repository'] : [];
    const flags = ['--no-dependencies', '--no-rewrite-relative-links', ...lacking];
    const text = await step('vsce', [vsce, 'package', '--target', name, ...flags, '--out', file], stage);
    if (/WARNING|ERROR/.test(text)) throw new Remedy(`vsce reports a problem: ${text.trim()}`);
    return file;
  });
}

/** package.json without what only a checkout needs. */
function extensionManifest() {
  const json = manifest();
  for (const key of ['scripts', 'dependencies', 'devDependencies', 'overrides']) Reflect.deleteProperty(json, key);
  return json;
}

/** The name of a platform's npm package. @param {string} target */
const npmName = (target) => `gander-${target}`;

/** What the npm packages have in common. */
function npmManifest() {
  const { version, description, license, engines, keywords } = manifest();
  return { version, description, license, keywords, engines: { node: engines.node }, ...addresses() };
}

/** The npm package that runs on one platform, whole. Returns its path. @param {string} name of the target */
export async function npmPackageFor(name) {
  const [os, cpu] = name.split('-');
  const { libraries } = targetOf(name);
  return staged(npmName(name), async (stage) => {
    for (const file of legal) put(stage, file);
    putReadme(stage, 'npm');
    await build(stage, 'all');
    for (const file of ofCli) cpSync(path.join(stage, 'all', file), path.join(stage, 'dist', file));
    rmSync(path.join(stage, 'all'), { recursive: true });
    chmodSync(path.join(stage, 'dist/cli.cjs'), 0o755);
    putNatives(stage, name);
    writeJson(stage, {
      ...{ name: npmName(name), ...npmManifest(), os: [os], cpu: [cpu] },
      // onnxruntime and tokenizers are built for glibc.
      ...(libraries.some((file) => file.includes('.so')) && { libc: ['glibc'] }),
      bin: { gander: 'dist/cli.cjs' },
      files: ['dist', 'third-party', 'THIRD_PARTY_NOTICES.md'],
    });
    return pack(stage);
  });
}

/** The npm package `gander`: it depends on that of each platform, of which npm installs the one that fits. Returns its path. */
export async function npmLauncher() {
  return staged('gander', async (stage) => {
    put(stage, 'LICENSE');
    putReadme(stage, 'npm');
    put(stage, 'npm/gander.cjs', 'gander.cjs');
    const { version } = manifest();
    writeJson(stage, {
      ...{ name: 'gander', ...npmManifest(), bin: { gander: 'gander.cjs' }, files: ['gander.cjs'] },
      optionalDependencies: Object.fromEntries(Object.keys(targets).map((name) => [npmName(name), version])),
    });
    return pack(stage);
  });
}

/** Writes a README of the repository for where a package is looked at. @param {string} stage @param {string} [folder] */
function putReadme(stage, folder = '') {
  const text = readFileSync(path.join(root, folder, 'README.md'), 'utf8');
  const has = (/** @type {string} */ file) => existsSync(path.join(stage, file));
  writeFileSync(path.join(stage, 'README.md'), readmeOutside(text, folder, has));
}

/** @param {string} stage @param {object} json */
const writeJson = (stage, json) => writeFileSync(path.join(stage, 'package.json'), JSON.stringify(json, null, 2));

/** @param {string} stage */
async function pack(stage) {
  const text = await npm('npm pack', ['pack', '--json', '--ignore-scripts', '--pack-destination', root], {
    cwd: stage,
  });
  return path.join(root, JSON.parse(text)[0].filename);
}

/** The Python packages of this repository. */
export const pythonFolders = ['python/gander-trace', 'python/gander-routing', 'python/gander-serve', 'training'];

/** The wheel of a Python package. Returns its path. @param {string} folder */
export async function wheelOf(folder) {
  const into = path.join(root, 'out/wheels');
  return staged(path.basename(folder), async (stage) => {
    put(stage, 'LICENSE');
    put(stage, `${folder}/src`, 'src');
    putReadme(stage, folder);
    const project = readFileSync(path.join(root, folder, 'pyproject.toml'), 'utf8');
    writeFileSync(path.join(stage, 'pyproject.toml'), project + projectUrls());
    const args = ['build', '--wheel', '--out-dir', into, stage];
    const { code, text } = await run(await needUv(), args, { output: 'capture' });
    const file = /([\w.-]+\.whl)\s*$/.exec(text)?.[1];
    if (code !== 0 || file === undefined) throw new Remedy(`the wheel of ${folder} failed: ${text.trim()}`);
    return path.join(into, file);
  });
}

function projectUrls() {
  const { homepage, bugs } = /** @type {{ homepage?: string, bugs?: { url: string } }} */ (addresses());
  return homepage && bugs ? `\n[project.urls]\nHomepage = "${homepage}"\nIssues = "${bugs.url}"\n` : '';
}

/** @param {string} what @param {string[]} args */
async function step(what, args, cwd = root) {
  const { code, text } = await run(process.execPath, args, { cwd, output: 'capture' });
  if (code !== 0) throw new Remedy(`${what} failed: ${text.trim()}`);
  return text;
}

/** @param {string} file */
const sayMade = (file) => console.log(`${path.relative(root, file)}  ${(statSync(file).size / 1e6).toFixed(1)} MB`);

async function packages() {
  const args = process.argv.slice(2);
  const named = args.flatMap((a, i) => (a === '--target' ? [args[i + 1] ?? ''] : []));
  const names = args.includes('--all') ? Object.keys(targets) : named.length ? named : [thisTarget];
  await setup();
  if (args[0] === 'cli') return npmPackages(names);
  return args[0] === 'python' ? wheels() : extensions(names);
}

/** @param {readonly string[]} names of targets */
async function npmPackages(names) {
  for (const name of names) sayMade(await npmPackageFor(name));
  sayMade(await npmLauncher());
  return 0;
}

async function wheels() {
  for (const folder of pythonFolders) sayMade(await wheelOf(folder));
  return 0;
}

/** @param {readonly string[]} names of targets */
async function extensions(names) {
  let bad = 0;
  for (const name of names) {
    say(`Packaging for ${name} …`);
    const file = await packageFor(name);
    const problems = vsixProblems(file, name);
    for (const problem of problems) say(`  ${problem}`);
    bad += problems.length;
    sayMade(file);
  }
  return bad ? 1 : 0;
}

if (process.argv[1] === import.meta.filename) await main(packages);
