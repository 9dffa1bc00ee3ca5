import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { slowdown } from './test/workbench/harness/throttle.mjs';

/** Two on two cores, for tests wait for children and frames: vitest would keep one core for itself. */
const maxWorkers = Math.max(2, availableParallelism() - 1);

const project = (name: string, include: string, timeout: number, extra: object = {}) => ({
  test: { name, include: [include], testTimeout: slowdown * timeout, hookTimeout: slowdown * timeout, ...extra },
});

/** One VS Code for all walks; a window on a machine with much else to do takes its time. */
const workbench = {
  globalSetup: 'test/workbench/ui/setup.ts',
  fileParallelism: false,
  expect: { poll: { timeout: 60_000 * slowdown, interval: 100 } },
};

/** With onnxruntime on another processor (test/processors): the goldens, or whatever of the engine's tests can be run so. */
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
/** Of the engine's tests these run onnxruntime in their own process. */
const inProcess = ['golden', 'encoderDecoder', 'moe', 'moeOperators', 'moeWhatIf', 'placing', 'lens', 'gathered'];

export default defineConfig({
  // What no test imports, and is tens of thousands of files: `npm run watch` would look at each.
  server: { watch: { ignored: ['**/.{venv*,corpora,runs,*_cache}/**', '**/{dist,out,artifacts,coverage}/**'] } },
  test: {
    // What `npm test` leaves out and `npm run test:all` runs.
    tags: [{ name: 'slow', description: 'more of what a quick test shows, or what takes long' }],
    projects: [
      // One registry of modules for all files of a worker: loading them anew for each took half of the time.
      project('unit', 'test/unit/**/*.test.ts', 30_000, { pool: 'threads', isolate: false, maxWorkers }),
      onProcessor('Haswell'),
      onProcessor('Nehalem'),
      project('engine', 'test/engine/**/*.test.ts', 120_000, {
        globalSetup: 'test/engine/built.ts',
        maxWorkers,
        sequence: { groupOrder: 2 },
      }),
      // One browser for all files, and pages that the files of a worker leave to each other.
      project('webview', 'test/webview/**/*.test.ts', 60_000, {
        globalSetup: 'test/webview/browser.ts',
        isolate: false,
        maxWorkers,
        sequence: { groupOrder: 1 },
        expect: { poll: { timeout: 20_000 * slowdown, interval: 20 } },
      }),
      // What the commands of this repository promise: they run as a person runs them, in copies of the checkout.
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
