import { defineConfig } from 'vitest/config';
import { slowdown } from './test/workbench/harness/throttle.mjs';

const project = (name: string, include: string, timeout: number, extra: object = {}) => ({
  test: { name, include: [include], testTimeout: slowdown * timeout, hookTimeout: slowdown * timeout, ...extra },
});

/** One VS Code for all walks; a window on a machine with much else to do takes its time. */
const workbench = {
  globalSetup: 'test/workbench/ui/setup.ts',
  fileParallelism: false,
  expect: { poll: { timeout: 180_000 * slowdown, interval: 100 } },
};

export default defineConfig({
  test: {
    projects: [
      project('unit', 'test/unit/**/*.test.ts', 10_000),
      project('engine', 'test/engine/**/*.test.ts', 60_000),
      project('webview', 'test/webview/**/*.test.ts', 60_000),
      // What the commands of this repository promise: they run as a person runs them, in copies of the checkout.
      project('house', 'test/house/**/*.test.ts', 900_000, { fileParallelism: false }),
      project('ui', 'test/workbench/ui/**/*.test.ts', 900_000, workbench),
      project('served', 'test/{served,workbench/served}/**/*.test.ts', 900_000, workbench),
    ],
    coverage: {
      include: ['src/**', 'webview/**'],
      exclude: ['**/gen/**', '**/*.d.ts'],
      reporter: ['text-summary', 'html', 'json-summary'],
    },
  },
});
