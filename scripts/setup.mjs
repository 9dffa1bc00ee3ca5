// Prepares a checkout: checks Node's version, installs node_modules. Quick if nothing changed.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { npm, Remedy, root, run, say } from './lib/main.mjs';

/** @typedef {Record<string, { version?: string, optional?: boolean, os?: string[], cpu?: string[] }>} Packages by folder */

export async function setup() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new Remedy(`Node ${process.versions.node} is too old; install Node 20.19 or newer (https://nodejs.org)`);
  }
  const modules = path.join(root, 'node_modules');
  const locked = packagesOf(path.join(root, 'package-lock.json'));
  if (isInstalled(locked, packagesOf(path.join(modules, '.package-lock.json')))) return;
  say('Installing packages (half a minute) …');
  // `npm ci` begins by deleting node_modules, and programs may be running from it.
  const install = existsSync(modules)
    ? () => npm('npm install', ['install', '--no-save'])
    : () => npm('npm ci', ['ci']);
  await tellingHowMany(Object.keys(locked).filter(Boolean), install);
}

/** On a slow line an installation takes minutes, and npm says nothing. @param {string[]} folders @param {() => Promise<unknown>} install */
async function tellingHowMany(folders, install) {
  const timer = setInterval(() => {
    const there = folders.filter((folder) => existsSync(path.join(root, folder, 'package.json')));
    say(`  ${there.length} of ${folders.length} packages`);
  }, 10_000);
  try {
    await install();
  } finally {
    clearInterval(timer);
  }
}

/** Packages in package-lock.json, or in npm's record of installed ones in node_modules. @param {string} file @returns {Packages} */
function packagesOf(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : {};
}

/**
 * Whether everything in the lock file is installed, and for this platform.
 * @param {Packages} locked @param {Packages} installed @param {{ platform: string, arch: string }} [on]
 */
export function isInstalled(locked, installed, { platform, arch } = process) {
  const isThere = Object.entries(locked).every(
    ([folder, { version, optional }]) =>
      folder === '' || (installed[folder] ? installed[folder].version === version : optional),
  );
  const fits = Object.values(installed).every(
    ({ os = [platform], cpu = [arch] }) => allows(os, platform) && allows(cpu, arch),
  );
  return isThere && fits;
}

/** @param {string[]} list allowed names, or excluded ones: `!win32` @param {string} name */
const allows = (list, name) =>
  list.every((entry) => entry.startsWith('!')) ? !list.includes(`!${name}`) : list.includes(name);

/** Builds dist/. */
export async function build() {
  say('Building …');
  const { code } = await run(process.execPath, ['esbuild.mjs'], { output: 'errors' });
  if (code !== 0) throw new Remedy('the build failed; see the errors above');
}
