/** Programs that the engine's tests start, built once for all test files, so that they do not depend on an earlier build. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import type { TestProject } from 'vitest/node';

const root = path.resolve(import.meta.dirname, '../..');

declare module 'vitest' {
  interface ProvidedContext {
    /** A folder with the command line and its children next to it, as in the package. */
    readonly programs: string;
  }
}

export default async function setup(project: TestProject): Promise<() => void> {
  // Inside the checkout, so that packages which are not bundled are found.
  const folder = path.join(root, `node_modules/.cache/gander-test/${process.pid}`);
  const programs = path.join(folder, 'dist');
  await build({
    entryPoints: Object.fromEntries(
      ['cli', 'engine', 'import', 'remote', 'atlas'].map((room) => [room, path.join(root, `src/${room}/main.ts`)]),
    ),
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['onnxruntime-node', 'tokenizers'],
    outdir: programs,
    outExtension: { '.js': '.cjs' },
    logLevel: 'error',
  });
  project.provide('programs', programs);
  return () => rmSync(folder, { recursive: true, force: true });
}
