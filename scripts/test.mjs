// npm test [-- PART...]: everything, or the parts named. Ends with the sum of all and fails if a part failed or ran nothing.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { main, Remedy, root, run, say, temporary } from './lib/main.mjs';
import { checked, installed, needPython } from './lib/python.mjs';
import { needChromium } from './lib/system.mjs';
import { build, setup } from './setup.mjs';

/** @typedef {{ passed: number, failed: number, skipped: number }} Count */

const artifacts = path.join(root, 'artifacts');
const bin = (/** @type {string} */ file) => path.join(root, 'node_modules', file);

/** Commands that pass or fail as a whole. @param {string[][]} commands @returns {Promise<Count>} */
async function checks(...commands) {
  let failed = 0;
  for (const command of commands) if ((await run(process.execPath, command)).code !== 0) failed++;
  return { passed: commands.length - failed, failed, skipped: 0 };
}

/** @param {string} project @returns {Promise<Count>} */
async function vitest(project) {
  const json = path.join(artifacts, `${project}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${json}`];
  const { code } = await run(process.execPath, [bin('vitest/vitest.mjs'), 'run', '--project', project, ...reporters]);
  if (!existsSync(json)) return { passed: 0, failed: 1, skipped: 0 };
  const { numPassedTests, numFailedTests, numTotalTests } = JSON.parse(readFileSync(json, 'utf8'));
  // A file that does not load has no failed test, and an error between tests has neither.
  const failed = code === 0 ? 0 : Math.max(numFailedTests, 1);
  return { passed: numPassedTests, failed, skipped: numTotalTests - numPassedTests - numFailedTests };
}

/** The suites in the extension host, on the oldest and the newest VS Code at once. @returns {Promise<Count>} */
async function host() {
  const { installVscodeWeb, newest, oldest } = await import('./lib/vscode-web.mjs');
  const { runInHost } = await import('../test/workbench/harness/host.mjs');
  const desktop = process.env['GANDER_VSCODE_DOWNLOAD'] === '1';
  const versions = [];
  for (const version of [oldest, newest])
    versions.push(desktop ? { version: `${version}.0` } : { version, vscode: await installVscodeWeb(version) });
  const sum = { passed: 0, failed: 0, skipped: 0 };
  const runs = versions.map(async (options) => {
    let told = '';
    const { ok, results } = await runInHost({
      ...options,
      suites: path.join(root, 'test/workbench/host'),
      folder: path.join(root, 'samples'),
      onOutput: (text) => (told += text),
    });
    // In one piece each, so that neither is in the middle of the other.
    process.stdout.write(`VS Code ${options.version}\n${told}`);
    for (const { state } of results) sum[state]++;
    if (!ok && !results.some((r) => r.state === 'failed')) sum.failed++;
  });
  await Promise.all(runs);
  return sum;
}

/** What a person sees, with the packaged extension. @param {string} project @returns {Promise<Count>} */
async function workbench(project) {
  const { installVscodeWeb } = await import('./lib/vscode-web.mjs');
  const { packageFor, thisTarget } = await import('./package.mjs');
  process.env['GANDER_TEST_VSCODE'] = await installVscodeWeb();
  // Once for all parts that look at it.
  process.env['GANDER_TEST_VSIX'] ??= await packageFor(thisTarget);
  return vitest(project);
}

/** The same with a server of models behind it. @returns {Promise<Count>} */
async function served() {
  const command = path.join(root, 'training/.venv/bin/gander-serve');
  if (!existsSync(command))
    throw new Remedy('gander-serve is not installed in training/.venv: python/gander-serve/README.md tells how');
  process.env['GANDER_TEST_SERVE'] = command;
  return workbench('served');
}

/** The package that writes and reads traces: lint, types and tests. @returns {Promise<Count>} */
async function python() {
  const folder = 'python/gander-trace';
  return checked(await installed(folder, 'dev'), folder);
}

/** @type {Record<string, { run: () => Promise<Count>, built?: boolean, browser?: boolean, python?: boolean, torch?: boolean }>} */
const parts = {
  lint: { run: () => checks([bin('eslint/bin/eslint.js'), '.'], [bin('prettier/bin/prettier.cjs'), '--check', '.']) },
  types: {
    run: () =>
      checks(...['.', 'test', 'bench', 'evaluate', 'fuzz', 'webview'].map((p) => [bin('typescript/bin/tsc'), '-p', p])),
  },
  unit: { run: () => vitest('unit') },
  python: { run: python, python: true },
  engine: { run: () => vitest('engine'), built: true },
  webview: { run: () => vitest('webview'), built: true, browser: true },
  host: { run: host, built: true, browser: true },
  ui: { run: () => workbench('ui'), browser: true },
  house: { run: () => vitest('house'), built: true, browser: true },
  served: { run: served, browser: true, torch: true },
};

await main(async () => {
  const asked = process.argv.slice(2);
  const unknown = asked.find((name) => !(name in parts));
  if (unknown) throw new Remedy(`no part ${unknown}; there are ${Object.keys(parts).join(', ')}`);
  // What needs torch is left to CI, which has it, and to whoever asks.
  const names = asked.length ? asked : Object.keys(parts).filter((name) => !parts[name]?.torch);
  await setup();
  if (names.some((name) => parts[name]?.python)) needPython();
  if (names.some((name) => parts[name]?.browser)) await needChromium();
  if (names.some((name) => parts[name]?.built)) await build();
  mkdirSync(artifacts, { recursive: true });
  // Whatever a test leaves behind goes with this folder. The short name leaves room for VS Code's sockets in it.
  process.env['TMPDIR'] = temporary();

  /** @type {string[][]} */
  const table = [];
  const sum = { passed: 0, failed: 0 };
  for (const name of names) {
    say(`\n── ${name}`);
    rmSync(path.join(artifacts, `${name}.json`), { force: true });
    const start = Date.now();
    const count = (await parts[name]?.run()) ?? { passed: 0, failed: 0, skipped: 0 };
    if (count.passed + count.failed === 0) {
      say(`${name}: no test ran`);
      count.failed = 1;
    }
    sum.passed += count.passed;
    sum.failed += count.failed;
    const skipped = count.skipped ? `${count.skipped} skipped` : '';
    table.push([
      name,
      `${count.passed} passed`,
      `${count.failed} failed`,
      skipped,
      `${Math.round((Date.now() - start) / 1000)} s`,
    ]);
  }
  console.log(
    `\n${table.map((row) => row.map((cell, i) => (i ? cell.padStart(12) : cell.padEnd(8))).join('')).join('\n')}`,
  );
  writeFileSync(path.join(artifacts, 'summary.json'), JSON.stringify(sum));
  console.log(`${sum.passed} passed, ${sum.failed} failed`);
  return sum.failed ? 1 : 0;
});
