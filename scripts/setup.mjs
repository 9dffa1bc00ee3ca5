// Makes a checkout ready: Node's version, node_modules. Quick when nothing changed.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { npm, Remedy, root, run, say } from './lib/main.mjs';

const stampFile = path.join(root, 'node_modules/.gander-stamp');

export async function setup() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new Remedy(`Node ${process.versions.node} is too old; install Node 20.19 or newer (https://nodejs.org)`);
  }
  const hash = createHash('sha256').update(process.platform).update(process.arch);
  for (const file of ['package-lock.json', '.npmrc']) hash.update(readFileSync(path.join(root, file)));
  const stamp = hash.digest('hex');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  say('Installing packages (half a minute) …');
  await npm('npm ci', ['ci']);
  writeFileSync(stampFile, stamp);
}

/** Builds dist/. */
export async function build() {
  say('Building …');
  const { code } = await run(process.execPath, ['esbuild.mjs'], { output: 'errors' });
  if (code !== 0) throw new Remedy('the build failed; see the errors above');
}
