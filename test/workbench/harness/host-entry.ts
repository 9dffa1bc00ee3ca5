// Runs inside the extension host: VS Code loads this bundle because of extensionTestsPath and calls run(), which resolves if
// every test next to it passed.
import { appendFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { format } from 'node:util';
import { takeCoverage } from 'node:v8';
import Mocha from 'mocha';

export interface HostResult {
  readonly title: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  readonly ms?: number;
  readonly error?: string;
}

export async function run(): Promise<void> {
  const results = process.env['GANDER_TEST_RESULTS'];
  const log = process.env['GANDER_TEST_LOG'];
  if (!results || !log) throw new Error('GANDER_TEST_RESULTS and GANDER_TEST_LOG say where the results go');
  // The console goes to the workbench here, so the reporter's lines go to a file that the harness shows.
  Mocha.reporters.Base.consoleLog = (...args: unknown[]) => appendFileSync(log, `${format(...args)}\n`);
  const grep = process.env['MOCHA_GREP'];
  const mocha = new Mocha({ ui: 'bdd', timeout: 180_000, color: false, reporter: 'spec', ...(grep && { grep }) });
  for (const file of readdirSync(__dirname, { recursive: true }) as string[]) {
    if (file.endsWith('.test.cjs')) mocha.addFile(path.join(__dirname, file));
  }
  const all: HostResult[] = [];
  const failed = (error: Error) => ({ state: 'failed' as const, error: error.stack ?? error.message });
  const failures = await new Promise<number>((resolve) => {
    const runner = mocha.run(resolve);
    runner.on('pass', (test) => all.push({ title: test.fullTitle(), state: 'passed', ms: test.duration ?? 0 }));
    runner.on('pending', (test) => all.push({ title: test.fullTitle(), state: 'skipped' }));
    // Also for failing hooks.
    runner.on('fail', (test, error: Error) => all.push({ title: test.fullTitle(), ...failed(error) }));
  });
  if (process.env['NODE_V8_COVERAGE']) takeCoverage(); // before VS Code ends the extension host, which is before Node would write it
  writeFileSync(results, JSON.stringify(all, null, 1));
  if (failures) throw new Error(`${failures} failed`);
}
