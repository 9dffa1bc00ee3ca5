// Finds programs of the system, or installs them if Debian's package manager may be used.
import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';
import { Remedy, run, say } from './main.mjs';

/** The path of a program on the PATH. @param {string} name */
export function which(name) {
  const names = process.platform === 'win32' ? [`${name}.cmd`, `${name}.exe`] : [name];
  for (const dir of (process.env['PATH'] ?? '').split(path.delimiter).filter(Boolean)) {
    for (const n of names) {
      const file = path.join(dir, n);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // Not here.
      }
    }
  }
  return undefined;
}

/** Chromium or Chrome, `CHROMIUM` first. */
export function findChromium() {
  const known = [
    process.env['CHROMIUM'],
    ...['chromium', 'chromium-browser', 'google-chrome', 'chrome'].map(which),
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  ];
  return known.find((file) => file && existsSync(file));
}

/** @param {readonly string[]} packages @param {string} why @param {string} otherwise */
async function aptInstall(packages, why, otherwise) {
  const command = `apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  if (!which('apt-get') || process.getuid?.() !== 0) {
    throw new Remedy(`${why}; run \`${which('apt-get') ? `sudo ${command}` : otherwise}\` and then this again`);
  }
  say(`Installing ${packages.join(', ')} (Debian package) …`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // Another installation may hold the lock for a while.
  const install = () => run('sh', ['-c', `${command} -o DPkg::Lock::Timeout=120`], { env, output: 'capture' });
  let { code, text } = await install();
  if (code !== 0) {
    await run('apt-get', ['update'], { env, output: 'capture' });
    ({ code, text } = await install());
  }
  if (code !== 0) {
    const last = text.trim().split('\n').at(-1) ?? '';
    throw new Remedy(`${why}, and \`${command}\` failed (${last}); install it by hand and run this again`);
  }
}

/** Path of a Chromium, which is installed if necessary. */
export async function needChromium() {
  if (!findChromium()) {
    const hint = 'brew install --cask chromium, or CHROMIUM=/path/to/chrome npm test';
    await aptInstall(['chromium'], 'no Chromium for the tests in a browser', hint);
  }
  const found = findChromium();
  if (!found) throw new Remedy('Chromium was installed but is not on the PATH; set CHROMIUM to its path');
  return found;
}

/** VS Code 1.100 searches with the system's ripgrep, because its own would be a download. */
export async function needRipgrep() {
  if (!which('rg')) await aptInstall(['ripgrep'], 'no ripgrep (rg) for VS Code 1.100', 'brew install ripgrep');
}

/** Path of the program that emulates another processor, or undefined with the reason. */
export async function findQemu() {
  const why = 'no qemu-x86_64 to run onnxruntime on other processors';
  if (process.platform !== 'linux' || process.arch !== 'x64') return { why: `${why}: that needs Linux on x64` };
  const found = () => which('qemu-x86_64') ?? which('qemu-x86_64-static');
  try {
    if (!found()) await aptInstall(['qemu-user'], why, 'dnf install qemu-user');
  } catch (error) {
    if (error instanceof Remedy) return { why: error.message };
    throw error;
  }
  return { qemu: found(), why };
}
