import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { slowdown } from './test/workbench/harness/throttle.mjs';

const project = (name: string, include: string, timeout: number, extra: object = {}) => ({
  test: { name, include: [include], testTimeout: slowdown * timeout, hookTimeout: slowdown * timeout, ...extra },
});

export default defineConfig({
  test: {
    // Many combinations of what is tested one by one elsewhere.
    tags: [{ name: 'slow' }],
    projects: [
      project('unit', 'test/unit/**/*.test.ts', 10_000),
      project('engine', 'test/engine/**/*.test.ts', 60_000),
      // One browser for all files, and pages that the files of a worker leave to each other.
      project('webview', 'test/webview/**/*.test.ts', 60_000, {
        globalSetup: 'test/webview/browser.ts',
        isolate: false,
        // Two on two processors, too, for they wait for frames; a number of its own asks for a turn of its own.
        maxWorkers: Math.max(2, availableParallelism() - 1),
        sequence: { groupOrder: 1 },
        expect: { poll: { timeout: 20_000 * slowdown, interval: 20 } },
      }),
      // What the commands of this repository promise: they run as a person runs them, in copies of the checkout.
      project('house', 'test/house/**/*.test.ts', 300_000, { fileParallelism: false }),
      // One workbench at a time: each is a VS Code server, an extension host and a browser.
      project('ui', 'test/workbench/ui/**/*.test.ts', 120_000, { fileParallelism: false }),
      project('served', 'test/{served,workbench/served}/**/*.test.ts', 120_000, { fileParallelism: false }),
    ],
    coverage: {
      include: ['src/**', 'webview/**'],
      exclude: ['**/gen/**', '**/*.d.ts'],
      reporter: ['text-summary', 'html', 'json-summary'],
    },
  },
});
