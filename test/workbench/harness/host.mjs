// Runs mocha suites inside VS Code's extension host, through @vscode/test-electron.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runTests } from '@vscode/test-electron';
import * as esbuild from 'esbuild';
import { atEnd, root } from '../../../scripts/lib/main.mjs';

/** @typedef {import('./host-entry.js').HostResult} HostResult */

/**
 * @typedef {object} HostOptions
 * @property {string} suites folder whose **\/*.test.ts are run
 * @property {string} folder the workspace; a copy of it is opened
 * @property {string} [vscode] folder of an installed browser VS Code; without it the desktop VS Code is downloaded
 * @property {string} [version] of the desktop VS Code
 * @property {string} [extension] the extension's folder; default: this one
 * @property {Record<string, unknown>} [settings] user settings
 * @property {Record<string, string>} [env] for the extension host
 * @property {(text: string) => void} [onOutput] mocha's report, as it comes
 */

/**
 * @param {HostOptions} options
 * @returns {Promise<{ ok: boolean, results: HostResult[] }>} not `ok` also when no test ran
 */
export async function runInHost(options) {
  const { suites, folder, vscode, version, extension = root, settings = {}, env = {}, onOutput } = options;
  // Inside the checkout, so that mocha is found.
  mkdirSync(path.join(root, 'out'), { recursive: true });
  const out = mkdtempSync(path.join(root, 'out/host-'));
  const temp = mkdtempSync(path.join(tmpdir(), 'gander-host-'));
  const remove = () => {
    for (const dir of [out, temp]) rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  };
  const callOff = atEnd(remove);
  const resultsFile = path.join(temp, 'results.json');
  const log = path.join(temp, 'log');
  let shown = 0;
  const show = () => {
    const text = readFileSync(log);
    onOutput?.(text.subarray(shown).toString());
    shown = text.length;
  };
  writeFileSync(log, '');
  const timer = setInterval(show, 200);
  try {
    await esbuild.build({
      entryPoints: [{ in: path.join(import.meta.dirname, 'host-entry.ts'), out: 'host-entry' }, ...testFiles(suites)],
      outdir: out,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node20',
      sourcemap: 'inline',
      outExtension: { '.js': '.cjs' },
      external: ['vscode', 'mocha', 'onnxruntime-node', 'tokenizers'],
      logLevel: 'error',
    });
    const data = path.join(temp, 'data');
    mkdirSync(path.join(data, 'User'), { recursive: true });
    writeFileSync(path.join(data, 'User/settings.json'), JSON.stringify(settings));
    const workspace = path.join(temp, path.basename(folder));
    cpSync(folder, workspace, { recursive: true });
    const code = await runTests({
      ...(vscode
        ? { vscodeExecutablePath: path.join(import.meta.dirname, 'code-shim.mjs') }
        : version
          ? { version }
          : {}),
      extensionDevelopmentPath: extension,
      extensionTestsPath: path.join(out, 'host-entry.cjs'),
      launchArgs: [workspace, `--user-data-dir=${data}`, `--extensions-dir=${path.join(temp, 'extensions')}`],
      extensionTestsEnv: {
        ...env,
        ...(vscode && { GANDER_TEST_VSCODE: vscode }),
        GANDER_TEST_RESULTS: resultsFile,
        GANDER_TEST_LOG: log,
      },
    }).catch(() => 1);
    /** @type {HostResult[]} */
    const results = existsSync(resultsFile) ? JSON.parse(readFileSync(resultsFile, 'utf8')) : [];
    return { ok: code === 0 && results.some((r) => r.state === 'passed'), results };
  } finally {
    clearInterval(timer);
    show();
    remove();
    callOff();
  }
}

/** @param {string} suites */
function testFiles(suites) {
  const names = /** @type {string[]} */ (readdirSync(suites, { recursive: true })).filter((n) =>
    n.endsWith('.test.ts'),
  );
  return names.map((name) => ({ in: path.join(suites, name), out: path.join('suites', name.slice(0, -3)) }));
}
