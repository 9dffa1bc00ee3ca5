// Python packages of this repository, each in a virtual environment of its own.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { Remedy, root, run, say } from './main.mjs';
import { which } from './system.mjs';

const artifacts = path.join(root, 'artifacts');
const windows = process.platform === 'win32';
const inVenv = (/** @type {string} */ venv, /** @type {string} */ name) =>
  path.join(venv, windows ? 'Scripts' : 'bin', windows ? `${name}.exe` : name);

/** Path of a Python. */
export function needPython() {
  const found = which('python3') ?? which('python');
  if (!found) throw new Remedy('no Python for the tests in Python; install Python 3.11 or newer and run this again');
  return found;
}

/**
 * Installs a package and what it needs: with uv, which is several times quicker than pip for large ones.
 * @param {string} folder of the package, relative to the repository @param {string} extras @param {string} [hint] how long it takes
 * @param {string[]} [beside] other packages of this repository that go into the same environment, their extras in brackets
 * @param {string} [name] of the environment, where one cannot hold all
 * @returns {Promise<string>} its Python
 */
export async function installed(folder, extras, hint = '', beside = [], name = '.venv') {
  const venv = path.join(root, folder, name);
  const python = needPython();
  const quietly = async (/** @type {string} */ command, /** @type {string[]} */ args, env = process.env) => {
    const { code, text } = await run(command, args, { output: 'capture', env });
    if (code !== 0) throw new Remedy(`setting up ${folder}/${name} failed: ${text.trim().split('\n').at(-1)}`);
  };
  let uv = which('uv');
  if (!uv) {
    const tools = path.join(root, 'out/uv');
    uv = inVenv(tools, 'uv');
    if (!existsSync(uv)) {
      say('Installing uv …');
      await quietly(python, ['-m', 'venv', tools]);
      await quietly(inVenv(tools, 'python'), ['-m', 'pip', 'install', '--quiet', 'uv']);
    }
  }
  // uv does not read pip's settings; a registry named there is meant for it too.
  const { code, text } = await run(python, ['-m', 'pip', 'config', 'get', 'global.index-url'], { output: 'capture' });
  const env = code === 0 ? { UV_DEFAULT_INDEX: text.trim(), ...process.env } : process.env;
  const own = inVenv(venv, 'python');
  if (!existsSync(own)) await quietly(uv, ['venv', '--quiet', '--python', python, venv], env);
  say(`Installing what ${folder}/ needs${hint} …`);
  const packages = [`${folder}[${extras}]`, ...beside].flatMap((one) => ['-e', path.join(root, one)]);
  await quietly(uv, ['pip', 'install', '--quiet', '--python', own, ...packages], env);
  return own;
}

/**
 * Runs a package's tests, or those of one of its files. @param {string} python @param {string} folder @param {string} [only]
 * @returns {Promise<{ passed: number, failed: number, skipped: number }>}
 */
export async function pytest(python, folder, only) {
  const xml = path.join(
    artifacts,
    `${[folder, ...(only ? [only] : [])].map((part) => path.basename(part)).join('-')}.xml`,
  );
  rmSync(xml, { force: true });
  const { code } = await run(python, ['-m', 'pytest', '-q', ...(only ? [only] : []), `--junitxml=${xml}`], {
    cwd: path.join(root, folder),
  });
  const report = existsSync(xml) ? readFileSync(xml, 'utf8') : '';
  const count = (/** @type {string} */ name) =>
    Number(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`).exec(report)?.[1] ?? 0);
  const failed = count('failures') + count('errors');
  const skipped = count('skipped');
  const passed = count('tests') - failed - skipped;
  return { passed, failed: code === 0 && passed > 0 ? failed : Math.max(failed, 1), skipped };
}

/**
 * Runs a package's tests and checks its style and types; each check counts as one.
 * @param {string} python @param {string} folder
 * @returns {Promise<{ passed: number, failed: number, skipped: number }>}
 */
export async function checked(python, folder) {
  const sum = await pytest(python, folder);
  for (const check of [['ruff', 'check'], ['ruff', 'format', '--check'], ['mypy']]) {
    const { code } = await run(python, ['-m', ...check], { cwd: path.join(root, folder) });
    sum[code === 0 ? 'passed' : 'failed']++;
  }
  return sum;
}
