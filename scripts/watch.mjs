// npm run watch: on every change builds dist/ and runs the unit tests that the change affects; at the start, those that the
// uncommitted changes affect. Prints one line about the build; vitest's keys work (h lists them).
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { atEnd, endGroup, main, root, say, temporary } from './lib/main.mjs';
import { setup } from './setup.mjs';

/** @typedef {{ name: string, errors: import('esbuild').Message[], warnings: import('esbuild').Message[] }} Built */

/** One line for all bundles that a change rebuilt, and each message once, however many of them contain the file. */
class Rounds {
  #pending = 0;
  /** @type {Built[]} */
  #built = [];

  /** Makes a bundle take part. @param {string} name @returns {import('esbuild').Plugin} */
  plugin(name) {
    return {
      name: 'rounds',
      setup: (b) => {
        b.onStart(() => {
          this.#pending++;
        });
        b.onEnd(async ({ errors, warnings }) => {
          this.#built.push({ name, errors, warnings });
          if (--this.#pending === 0) await this.#tell(this.#built.splice(0));
        });
      },
    };
  }

  /** @param {Built[]} all */
  async #tell(all) {
    await complain(
      'warning',
      all.flatMap(({ warnings }) => warnings),
    );
    await complain(
      'error',
      all.flatMap(({ errors }) => errors),
    );
    const names = (/** @type {Built[]} */ some) =>
      some
        .map(({ name }) => name)
        .sort()
        .join(', ');
    const [sound, failed] = [all.filter(({ errors }) => !errors.length), all.filter(({ errors }) => errors.length)];
    if (sound.length) say(`built ${names(sound)}`);
    if (failed.length) say(`not built: ${names(failed)}`);
  }
}

/** @param {'error' | 'warning'} kind @param {import('esbuild').Message[]} messages */
async function complain(kind, messages) {
  const { formatMessages } = await import('esbuild');
  const place = (/** @type {import('esbuild').Message} */ { text, location: at }) =>
    [text, at?.file, at?.line, at?.column].join(':');
  // For each place the message with the fewest notes: how each bundle came to the file does not matter.
  const sorted = messages.toSorted((a, b) => b.notes.length - a.notes.length);
  const own = new Map(sorted.map((one) => [place(one), { ...one, pluginName: '' }]));
  const texts = await formatMessages([...own.values()], { kind, color: process.stderr.isTTY });
  for (const text of texts) say(text.trimEnd());
}

async function build() {
  const { context } = await import('esbuild');
  const { bundlesFor, clean } = await import('./lib/bundles.mjs');
  clean();
  const rounds = new Rounds();
  const contexts = await Promise.all(
    bundlesFor('work').map((bundle) => {
      const name = bundle.outfile ? path.basename(bundle.outfile) : Object.keys(bundle.entryPoints ?? {}).join();
      return context({ ...bundle, logLevel: 'silent', plugins: [...(bundle.plugins ?? []), rounds.plugin(name)] });
    }),
  );
  for (const one of contexts) atEnd(() => one.dispose());
  await Promise.all(contexts.map((one) => one.watch()));
}

/** Runs the tests with their output piped through, so that it does not overwrite other lines. @returns {Promise<number>} */
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
  child.stdout.pipe(process.stdout);
  child.stderr.pipe(process.stderr);
  atEnd(() => endGroup(child));
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

await main(async () => {
  await setup();
  await build();
  return test();
});
