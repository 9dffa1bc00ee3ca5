import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { slowdown } from './test/workbench/harness/throttle.mjs';

/** Two on two cores, where vitest would keep one for itself: tests spend much time waiting for children and frames. */
const maxWorkers = Math.max(2, availableParallelism() - 1);

const project = (name: string, include: string, timeout: number, extra: object = {}) => ({
  test: { name, include: [include], testTimeout: slowdown * timeout, hookTimeout: slowdown * timeout, ...extra },
});

/** One VS Code for all walks; a window is slow to appear on a busy machine, hence the long timeout. */
const workbench = {
  globalSetup: 'test/workbench/ui/setup.ts',
  fileParallelism: false,
  expect: { poll: { timeout: 60_000 * slowdown, interval: 100 } },
};

/** With onnxruntime on another processor (test/processors): the goldens, or all of the engine's tests that can run there. */
const onProcessor = (name: string) => ({
  resolve: { alias: { 'onnxruntime-node': fileURLToPath(new URL('test/processors/onnxruntime.ts', import.meta.url)) } },
  test: {
    name: `processor-${name}`,
    include: [
      'test/processors/*.test.ts',
      ...['eightBits', ...(process.env['GANDER_PROCESSORS'] === 'all' ? inProcess : [])].map(
        (file) => `test/engine/${file}.test.ts`,
      ),
    ],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    env: { GANDER_TEST_PROCESSOR: name },
  },
});
/** The tests of the engine that run onnxruntime in their own process. */
const inProcess = ['golden', 'encoderDecoder', 'moe', 'moeOperators', 'moeWhatIf', 'placing', 'lens', 'gathered'];

export default defineConfig({
  // No test imports these tens of thousands of files, and `npm run watch` would watch each of them.
  server: { watch: { ignored: ['**/.{venv*,corpora,runs,*_cache}/**', '**/{dist,out,artifacts,coverage}/**'] } },
  test: {
    // Tests that `npm test` leaves out and `npm run test:all` runs.
    tags: [{ name: 'slow', description: 'takes long, or repeats a quick test in more places' }],
    projects: [
      // All files of a worker share loaded modules: loading them again for each file took half of the time. One worker more than
      // the others have, because servers that hang are waited for.
      project('unit', 'test/unit/**/*.test.ts', 30_000, {
        pool: 'threads',
        isolate: false,
        maxWorkers: maxWorkers + 1,
        alias: { vscode: fileURLToPath(new URL('test/unit/vscode.ts', import.meta.url)) },
      }),
      onProcessor('Haswell'),
      onProcessor('Nehalem'),
      project('engine', 'test/engine/**/*.test.ts', 120_000, {
        globalSetup: 'test/engine/built.ts',
        maxWorkers,
        sequence: { groupOrder: 2 },
      }),
      // One browser for all files; the files of a worker reuse each other's pages.
      project('webview', 'test/webview/**/*.test.ts', 60_000, {
        globalSetup: 'test/webview/browser.ts',
        isolate: false,
        maxWorkers,
        sequence: { groupOrder: 1 },
        expect: { poll: { timeout: 20_000 * slowdown, interval: 20 } },
      }),
      // Tests of this repository's own commands, run as a person would run them, in copies of the checkout.
      project('house', 'test/house/**/*.test.ts', 900_000, { fileParallelism: false }),
      project('ui', 'test/workbench/ui/**/*.test.ts', 900_000, workbench),
      project('served', 'test/{served,workbench/served}/**/*.test.ts', 900_000, {
        ...workbench,
        globalSetup: ['test/engine/built.ts', workbench.globalSetup],
      }),
    ],
    coverage: {
      include: ['src/**', 'webview/**'],
      exclude: ['**/gen/**', '**/*.d.ts'],
      reporter: ['text-summary', 'html', 'json-summary'],
    },
  },
});
