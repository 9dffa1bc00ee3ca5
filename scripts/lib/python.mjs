// Python packages of this repository, each in its own virtual environment.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { Remedy, root, run, say } from './main.mjs';
import { shareOf } from './scope.mjs';
import { which } from './system.mjs';

/** @typedef {import('./parts.mjs').Count} Count */
/** @typedef {import('./scope.mjs').Shard} Shard */

const artifacts = path.join(root, 'artifacts');
const windows = process.platform === 'win32';
const inVenv = (/** @type {string} */ venv, /** @type {string} */ name) =>
  path.join(venv, windows ? 'Scripts' : 'bin', windows ? `${name}.exe` : name);

/** Path of a Python interpreter. */
export function needPython() {
  const found = which('python3') ?? which('python');
  if (!found) throw new Remedy('no Python for the tests in Python; install Python 3.11 or newer and run this again');
  return found;
}

/** @param {string} what @param {string} command @param {string[]} args */
async function quietly(what, command, args, env = process.env) {
  const { code, text } = await run(command, args, { output: 'capture', env });
  if (code !== 0) throw new Remedy(`setting up ${what} failed: ${text.trim().split('\n').at(-1)}`);
}

/** Path of uv, which is installed if necessary. */
export async function needUv() {
  const found = which('uv');
  if (found) return found;
  const tools = path.join(root, 'out/uv');
  const uv = inVenv(tools, 'uv');
  if (existsSync(uv)) return uv;
  say('Installing uv …');
  await quietly('uv', needPython(), ['-m', 'venv', tools]);
  await quietly('uv', inVenv(tools, 'python'), ['-m', 'pip', 'install', '--quiet', 'uv']);
  return uv;
}

/**
 * Installs a package and its dependencies with uv, which is several times faster than pip for large ones.
 * @param {string} folder of the package, relative to the repository @param {string} extras @param {string} [hint] how long it takes
 * @param {string[]} [beside] other packages of this repository that go into the same environment, their extras in brackets
 * @param {string} [name] of the environment, if the folder needs more than one
 * @returns {Promise<string>} path of its Python interpreter
 */
export async function installed(folder, extras, hint = '', beside = [], name = '.venv') {
  const venv = path.join(root, folder, name);
  const python = needPython();
  const uv = await needUv();
  // uv does not read pip's settings, but a registry named there should apply to it too.
  const { code, text } = await run(python, ['-m', 'pip', 'config', 'get', 'global.index-url'], { output: 'capture' });
  const env = code === 0 ? { UV_DEFAULT_INDEX: text.trim(), ...process.env } : process.env;
  const own = inVenv(venv, 'python');
  if (!existsSync(own)) await quietly(`${folder}/${name}`, uv, ['venv', '--quiet', '--python', python, venv], env);
  say(`Installing what ${folder}/ needs${hint} …`);
  const packages = [`${folder}[${extras}]`, ...beside].flatMap((one) => ['-e', path.join(root, one)]);
  await quietly(`${folder}/${name}`, uv, ['pip', 'install', '--quiet', '--python', own, ...packages], env);
  return own;
}

/**
 * Runs tests of a package. @param {string} python @param {string} folder @param {readonly string[]} files if empty, nothing runs
 * @returns {Promise<Count>}
 */
export async function pytest(python, folder, files) {
  if (files.length === 0) return { passed: 0, failed: [], skipped: 0 };
  // The same files may run in two environments at once.
  const venv = path.basename(path.resolve(python, '../..'));
  const xml = path.join(artifacts, `${[venv, folder, ...files].join('-').replace(/\W+/g, '-').slice(0, 100)}.xml`);
  rmSync(xml, { force: true });
  const { code } = await run(python, ['-m', 'pytest', '-q', ...files, `--junitxml=${xml}`], {
    cwd: path.join(root, folder),
  });
  const report = existsSync(xml) ? readFileSync(xml, 'utf8') : '';
  const count = (/** @type {string} */ name) =>
    Number(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`).exec(report)?.[1] ?? 0);
  const failed = [...report.matchAll(/<testcase classname="([^"]*)" name="([^"]*)"[^>]*><(?:failure|error)\b/g)].map(
    ([, file, name]) => `${folder}: ${file}: ${name}`,
  );
  const skipped = count('skipped');
  const passed = count('tests') - count('failures') - count('errors') - skipped;
  if ((code !== 0 || passed + skipped === 0) && failed.length === 0)
    failed.push(`${folder}: pytest ended with ${code}`);
  return { passed, failed, skipped };
}

/**
 * Runs tests of a package and checks its style and types; each check counts as one test.
 * @param {string} python @param {string} folder @param {readonly string[]} files @param {Shard} [shard]
 * @returns {Promise<Count>}
 */
export async function checked(python, folder, files, shard) {
  const tests = await pytest(python, folder, files);
  let { passed } = tests;
  const failed = [...tests.failed];
  for (const check of shareOf([['ruff', 'check'], ['ruff', 'format', '--check'], ['mypy']], shard)) {
    const { code } = await run(python, ['-m', ...check], { cwd: path.join(root, folder) });
    if (code === 0) passed++;
    else failed.push(`${folder}: ${check.join(' ')}`);
  }
  return { passed, failed, skipped: tests.skipped };
}
