// Installs a real VS Code (server, Node extension host, web workbench) from the npm registry alone, for tests and for
// `npm start` without a desktop: the package code-server contains VS Code's server build; its own layer is not used.
// Installs into a cache outside the checkout, so that a fresh clone finds it. Uses only Node's own modules.
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { atEnd, npm, Remedy, run, say } from './main.mjs';
import { needRipgrep, which } from './system.mjs';

/** The newest VS Code that is known to work, and the oldest that package.json's `engines` allows. */
export const newest = '1.139';
export const oldest = '1.100';

/** @type {Record<string, { server: string, node: string, sha512: string }>} */
const versions = {
  [newest]: {
    server: '4.139.1',
    node: '24.21.0',
    sha512: 'fUYvJVdz4ZoVJfakGiGWXFMpF8K1ObsrpGvX17ZxNpKOzdNHs7lANT670JTr4ZhA8DnWqyvvmFG/d3HV9Yy6ew==',
  },
  [oldest]: {
    server: '4.100.3',
    node: '20.20.2',
    sha512: 'q/Fh2DOxCRNhC/WiG/6sAhSKnj7ZACTVBaeeZ+rWjol//0FCbl/qg1ln5ecZ99jYcfqMxZZAyWcN+YBIo0DgpA==',
  },
};

// Not loaded by server, extension host, file watcher and web client: agents, containers, SSH, Kerberos, Windows (250 MB).
const dropped = [
  '@devcontainers/cli',
  '@github/copilot',
  '@github/copilot-sdk',
  '@microsoft/mxc-sdk',
  '@vscode/copilot-api',
  '@vscode/sandbox-runtime',
  '@vscode/sqlite3',
  '@vscode/windows-process-tree',
  '@vscode/windows-registry',
  'kerberos',
  'ssh2',
  'tar',
  'zod',
];

/** Raise this when the result of install() changes. */
const layout = 2;

const platform = `${process.platform}-${process.arch}`;

/**
 * Returns the folder of an installed VS Code: `node` and `vscode/out/server-main.js` in it.
 * @param {string} [version]
 */
export async function installVscodeWeb(version = newest) {
  const wanted = versions[version];
  if (!wanted)
    throw new Remedy(
      `VS Code ${version} cannot be installed by this script; use ${Object.keys(versions).join(' or ')}`,
    );
  if (process.platform === 'win32') {
    throw new Remedy('no VS Code found; install it (https://code.visualstudio.com) or set GANDER_CODE to its path');
  }
  const cache = process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache');
  // Each layout has its own folder: clones of different ages must not replace each other's installations.
  const dir = path.join(cache, 'gander/vscode-web', `${version}.${layout}`);
  const stamp = `${wanted.server} ${wanted.node} ${platform}`;
  const stampFile = path.join(dir, '.stamp');
  const ready = () => existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp;
  if (ready()) return dir;

  if (version === oldest) await needRipgrep();
  say(`Installing VS Code ${version} for the browser (half a minute, once) …`);
  const work = `${dir}.${process.pid}`;
  const callOff = atEnd(() => rmSync(work, { recursive: true, force: true }));
  try {
    await install(work, wanted);
    writeFileSync(path.join(work, '.stamp'), stamp);
    if (!ready()) {
      rmSync(dir, { recursive: true, force: true });
      renameSync(work, dir);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
    callOff();
  }
  return dir;
}

/** @param {string} work @param {{ server: string, node: string, sha512: string }} wanted */
async function install(work, wanted) {
  const vscode = path.join(work, 'vscode');
  mkdirSync(vscode, { recursive: true });
  await npm(
    'fetching VS Code',
    ['pack', '--silent', `code-server@${wanted.server}`, `node-${platform}@${wanted.node}`],
    { cwd: work },
  );
  const archive = path.join(work, `code-server-${wanted.server}.tgz`);
  if (createHash('sha512').update(readFileSync(archive)).digest('base64') !== wanted.sha512) {
    throw new Remedy(`code-server ${wanted.server} from the registry is not the expected file; check the registry`);
  }
  const untar = async (/** @type {string[]} */ ...args) => {
    const { code, text } = await run('tar', args, { cwd: work, output: 'capture' });
    if (code !== 0)
      throw new Remedy(
        `unpacking VS Code failed: ${text.trim().split('\n').at(-1)}; free 1 GB of disk and run this again`,
      );
  };
  await untar('xzf', `node-${platform}-${wanted.node}.tgz`, '--strip-components=2', 'package/bin/node');
  await untar(
    'xzf',
    archive,
    '-C',
    'vscode',
    '--strip-components=3',
    '--exclude=*/extensions/copilot',
    'package/lib/vscode',
  );
  for (const file of readdirSync(work)) if (file.endsWith('.tgz')) rmSync(path.join(work, file));

  const manifest = path.join(vscode, 'package.json');
  const json = JSON.parse(readFileSync(manifest, 'utf8'));
  const dependencies = Object.entries(json.dependencies).filter(([name]) => !dropped.includes(name));
  writeFileSync(manifest, JSON.stringify({ ...json, dependencies: Object.fromEntries(dependencies) }));
  // Versions come from its npm-shrinkwrap.json; --force: it asks for one exact Node.
  const flags = ['install', '--omit=dev', '--ignore-scripts', '--no-save', '--force'];
  await npm("installing VS Code's packages", flags, { cwd: vscode });
  await npm("installing VS Code's packages", [...flags, '--prefix', 'extensions'], { cwd: vscode });

  const ripgrep = path.join(vscode, 'node_modules/@vscode/ripgrep');
  const rg = which('rg');
  if (existsSync(ripgrep) && rg) {
    mkdirSync(path.join(ripgrep, 'bin'), { recursive: true });
    symlinkSync(rg, path.join(ripgrep, 'bin/rg'));
  }
  // Log files and output channels (spdlog), and an extension host that ends with its server (native-watchdog). Node-API
  // addons: the headers of any Node will do.
  const native = ['native-watchdog', '@vscode/native-watchdog', '@vscode/spdlog'].filter((name) =>
    existsSync(path.join(vscode, 'node_modules', name)),
  );
  try {
    await npm('', ['rebuild', '--ignore-scripts=false', ...native], { cwd: vscode });
  } catch {
    say("VS Code's output channels will stay empty: python3, make and g++ are needed to build them");
  }
}
