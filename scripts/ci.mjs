// What .ci/run does: npm test, then the tests of training/ in training/.venv.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { main, Remedy, root, run, say } from './lib/main.mjs';
import { which } from './lib/system.mjs';

const artifacts = path.join(root, 'artifacts');
const training = path.join(root, 'training');
const windows = process.platform === 'win32';
const inVenv = (/** @type {string} */ venv, /** @type {string} */ name) =>
  path.join(venv, windows ? 'Scripts' : 'bin', windows ? `${name}.exe` : name);

async function npmTest() {
  const file = path.join(artifacts, 'summary.json');
  rmSync(file, { force: true });
  const { code } = await run(process.execPath, [path.join(root, 'scripts/test.mjs')]);
  /** @type {{ passed: number, failed: number }} */
  const sum = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { passed: 0, failed: 0 };
  return { ...sum, failed: code === 0 ? sum.failed : Math.max(sum.failed, 1) };
}

async function pytest() {
  say('\n── training');
  const venv = path.join(training, '.venv');
  await install(venv);
  const xml = path.join(artifacts, 'training.xml');
  rmSync(xml, { force: true });
  const { code } = await run(inVenv(venv, 'python'), ['-m', 'pytest', '-q', `--junitxml=${xml}`], { cwd: training });
  const report = existsSync(xml) ? readFileSync(xml, 'utf8') : '';
  const count = (/** @type {string} */ name) =>
    Number(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`).exec(report)?.[1] ?? 0);
  const failed = count('failures') + count('errors');
  const passed = count('tests') - failed - count('skipped');
  return { passed, failed: code === 0 && passed > 0 ? failed : Math.max(failed, 1) };
}

/** Installs training/ and what it needs: with uv, which is several times quicker than pip for packages this large. @param {string} venv */
async function install(venv) {
  const python = which('python3') ?? which('python');
  if (!python)
    throw new Remedy('no Python for the tests of training/; install Python 3.10 or newer and run this again');
  const quietly = async (/** @type {string} */ command, /** @type {string[]} */ args, env = process.env) => {
    const { code, text } = await run(command, args, { output: 'capture', env });
    if (code !== 0) throw new Remedy(`setting up training/.venv failed: ${text.trim().split('\n').at(-1)}`);
    return text.trim();
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
  if (!existsSync(inVenv(venv, 'python'))) await quietly(uv, ['venv', '--quiet', '--python', python, venv], env);
  say('Installing what training/ needs (some minutes the first time: torch) …');
  await quietly(
    uv,
    ['pip', 'install', '--quiet', '--python', inVenv(venv, 'python'), '-e', `${training}[dev,export]`],
    env,
  );
}

await main(async () => {
  mkdirSync(artifacts, { recursive: true });
  const first = await npmTest();
  const second = await pytest().catch((/** @type {unknown} */ e) => {
    say(`gander: ${e instanceof Error ? e.message : String(e)}`);
    return { passed: 0, failed: 1 };
  });
  const failed = first.failed + second.failed;
  console.log(`${first.passed + second.passed} passed, ${failed} failed`);
  return failed ? 1 : 0;
});
