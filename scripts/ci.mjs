// What .ci/run does: npm test, then the tests of what needs torch, in training/.venv: training/ and python/gander-serve; those of
// the exporter of mixtures in training/.venv-moe.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { main, root, run, say } from './lib/main.mjs';
import { checked, installed, pytest } from './lib/python.mjs';

const artifacts = path.join(root, 'artifacts');

/** @param {string[]} parts none: all */
async function npmTest(...parts) {
  const file = path.join(artifacts, 'summary.json');
  rmSync(file, { force: true });
  const { code } = await run(process.execPath, [path.join(root, 'scripts/test.mjs'), ...parts]);
  /** @type {{ passed: number, failed: number }} */
  const sum = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { passed: 0, failed: 0 };
  return { ...sum, failed: code === 0 ? sum.failed : Math.max(sum.failed, 1) };
}

const serve = 'python/gander-serve';

async function withTorch() {
  say('\n── training');
  const beside = ['python/gander-trace', `${serve}[dev]`];
  const own = await installed('training', 'dev,export', ' (some minutes the first time: torch)', beside);
  const training = await pytest(own, 'training');
  // No environment holds both exporters: optimum-onnx takes no transformers 5.
  const later = await installed('training', 'dev,moe', ' with transformers 5', [], '.venv-moe');
  const exporter = await pytest(later, 'training', 'tests/test_export_moe.py');
  say('\n── gander-serve');
  const server = await checked(own, serve);
  const served = await npmTest('served');
  const all = [training, exporter, server, served];
  return {
    passed: all.reduce((sum, { passed }) => sum + passed, 0),
    failed: all.reduce((sum, { failed }) => sum + failed, 0),
  };
}

await main(async () => {
  mkdirSync(artifacts, { recursive: true });
  const first = await npmTest();
  const second = await withTorch().catch((/** @type {unknown} */ e) => {
    say(`gander: ${e instanceof Error ? e.message : String(e)}`);
    return { passed: 0, failed: 1 };
  });
  const failed = first.failed + second.failed;
  console.log(`${first.passed + second.passed} passed, ${failed} failed`);
  return failed ? 1 : 0;
});
