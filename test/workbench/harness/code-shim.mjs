#!/usr/bin/env node
// Replaces the VS Code executable that @vscode/test-electron starts, where VS Code cannot be downloaded: takes the same
// arguments, runs the same tests in the extension host of the VS Code in GANDER_TEST_VSCODE, and exits as VS Code would.
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { atEnd, main, Remedy } from '../../../scripts/lib/main.mjs';
import { launchBrowser, openWorkbench, startServer } from './vscode.mjs';

const values = (/** @type {string} */ name) =>
  process.argv.filter((a) => a.startsWith(`--${name}=`)).map((a) => a.slice(name.length + 3));
const seconds = 1800;

await main(async () => {
  const userSettings = values('user-data-dir').map((dir) => path.join(dir, 'User/settings.json'));
  const file = userSettings.find((f) => existsSync(f));
  const server = await startServer({
    vscode: process.env['GANDER_TEST_VSCODE'] ?? '',
    development: true,
    settings: file ? JSON.parse(readFileSync(file, 'utf8')) : {},
  });
  atEnd(() => server.stop());
  const browser = await launchBrowser({ handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false });
  atEnd(() => browser.close());
  /** @type {string[]} */
  const logged = [];
  const page = await openWorkbench(browser, server, {
    extensions: values('extensionDevelopmentPath'),
    tests: values('extensionTestsPath')[0] ?? '',
    folder: process.argv.slice(2).find((a) => !a.startsWith('-')) ?? mkdtempSync(path.join(server.dataDir, 'empty-')),
    onLog: (type, args) => logged.push(`[${type}] ${args.join(' ')}`),
  });
  const late = new Promise((_, reject) =>
    setTimeout(reject, seconds * 1000, new Remedy(`no result within ${seconds} s`)),
  );
  try {
    return Number(await Promise.race([page.exitCode, late]));
  } finally {
    // VS Code's own output, worth reading only if the tests did not even start.
    if (!existsSync(process.env['GANDER_TEST_RESULTS'] ?? ''))
      console.error(logged.slice(-30).join('\n'), server.log());
  }
});
