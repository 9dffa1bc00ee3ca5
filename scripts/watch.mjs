// npm run watch: dist/ is built, and the unit tests run that are affected, whenever a file changes; at the start those
// that are affected by what is not committed. One line for what was built; the tests' keys (h lists them) work.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { atEnd, endGroup, main, root, say, temporary } from './lib/main.mjs';
import { setup } from './setup.mjs';

/** Says when all bundles that a change began to build are built; what went wrong esbuild has said. */
function announcer() {
  let pending = 0;
  /** @type {string[]} */
  let built = [];
  /** @type {(name: string) => import('esbuild').Plugin} */
  return (name) => ({
    name: 'announcer',
    setup: (b) => {
      b.onStart(() => void pending++);
      b.onEnd(({ errors }) => {
        pending--;
        if (!errors.length) built.push(name);
        if (pending) return;
        if (built.length) say(`built ${built.sort().join(', ')}`);
        built = [];
      });
    },
  });
}

async function build() {
  const { context } = await import('esbuild');
  const { bundlesFor } = await import('./lib/bundles.mjs');
  const announced = announcer();
  const contexts = await Promise.all(
    bundlesFor('work').map((bundle) => {
      const name = bundle.outfile ? path.basename(bundle.outfile) : Object.keys(bundle.entryPoints ?? {}).join();
      return context({ ...bundle, plugins: [...(bundle.plugins ?? []), announced(name)] });
    }),
  );
  for (const one of contexts) atEnd(() => one.dispose());
  await Promise.all(contexts.map((one) => one.watch()));
}

/** Their output comes through here, so that nothing is drawn over the other lines. @returns {Promise<number>} */
function test() {
  const fromGit = existsSync(path.join(root, '.git')) ? ['--changed'] : [];
  const asLines = ['--clearScreen=false', '--reporter=default', '--slowTestThreshold=10000'];
  const colour = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {};
  const child = spawn(
    process.execPath,
    [path.join(root, 'node_modules/vitest/vitest.mjs'), '--watch', '--project=unit', ...fromGit, ...asLines],
    {
      cwd: root,
      env: { ...process.env, ...colour, TMPDIR: temporary() },
      stdio: [process.stdin.isTTY ? 'inherit' : 'ignore', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
    },
  );
  child.stdout?.pipe(process.stdout);
  child.stderr?.pipe(process.stderr);
  atEnd(() => endGroup(child));
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

await main(async () => {
  await setup();
  await build();
  return test();
});
